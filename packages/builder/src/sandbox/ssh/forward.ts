/** Hands a step's agent requests on to an agent of the caller's: listing and signing, nothing that changes it. */
import net from 'node:net'
import { AGENT, frame, readFrames } from './frames.ts'

const ALLOWED = new Set<number>([AGENT.REQUEST_IDENTITIES, AGENT.SIGN_REQUEST, AGENT.EXTENSION])

/** Serves one connection. A step can use the agent, but neither add, remove nor lock its keys. */
export function forwardAgent(client: net.Socket, agentPath: string): void {
  const agent = net.connect(agentPath)
  const end = (): void => {
    client.destroy()
    agent.destroy()
  }
  agent.on('error', end)
  agent.on('close', end)
  client.on('close', end)
  agent.pipe(client)
  void filterRequests(client, agent).catch(end)
}

async function filterRequests(client: net.Socket, agent: net.Socket): Promise<void> {
  for await (const request of readFrames(client)) {
    // Answers come in the order of the requests, so a refusal waits for none: OpenSSH's clients ask one at a time.
    if (!ALLOWED.has(request[0]!)) client.write(frame(AGENT.FAILURE))
    else if (!agent.write(frame(request[0]!, request.subarray(1))))
      await new Promise((resolve) => agent.once('drain', resolve))
  }
}

/** Hands a step's agent requests on to an agent of the caller's: listing and signing, nothing that changes it. */
import net from 'node:net'
import { AGENT, frame, readFrames, refusal } from './frames.ts'

const ALLOWED = new Set<number>([AGENT.REQUEST_IDENTITIES, AGENT.SIGN_REQUEST])

/**
 * Serves one connection. A step can use the keys, but neither add, remove nor lock them, nor reach what else the agent can
 * do.
 */
export function forwardAgent(client: net.Socket, agentPath: string): void {
  const agent = net.connect(agentPath)
  const end = (): void => {
    client.destroy()
    agent.destroy()
  }
  agent.on('error', end)
  agent.on('close', end)
  client.on('close', end)
  void answerAll(client, agent).then(() => client.end(), end)
}

/** One request at a time, so that each answer is that of its request. */
async function answerAll(client: net.Socket, agent: net.Socket): Promise<void> {
  const answers = readFrames(agent)
  for await (const request of readFrames(client)) {
    let answer = refusal(request)
    if (ALLOWED.has(request[0]!)) {
      agent.write(frame(request[0]!, request.subarray(1)))
      const { value, done } = await answers.next()
      if (done) return
      answer = frame(value[0]!, value.subarray(1))
    }
    if (!client.write(answer)) await new Promise((resolve) => client.once('drain', resolve))
  }
}

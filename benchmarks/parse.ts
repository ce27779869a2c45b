/**
 * Scanning and parsing large Dockerfiles, as a ratio to splitting them into lines in the same run.
 *
 *     node benchmarks/parse.ts
 *
 * Exits with 1 if a workload costs more than ten times the split.
 */
import { scanDockerfile } from '../packages/builder/src/dockerfile/scan.ts'
import { parseDockerfile } from '../packages/builder/src/instructions/parse.ts'
import { SourceFile } from '../packages/builder/src/source.ts'

const size = 2_000_000
/** CPU milliseconds that each measurement runs for. */
const duration = 600
const bound = 10

/** A stage as people write them: commands over several lines, variables, comments, copies, a heredoc. */
function ordinaryStage(index: number): string {
  const packages = Array.from({ length: 24 }, (_, i) => `      package-${index}-${i}=1.${i}.0-${index} \\`).join('\n')
  const script = Array.from(
    { length: 12 },
    (_, i) => `  install -m 0755 build/tool-${i} /usr/local/bin/tool-${i}`,
  ).join('\n')
  return `
# The tools of service ${index}; versions are pinned because
# later ones need a newer C library.
FROM registry.example.com/library/debian:bookworm-slim AS service-${index}
ARG VERSION=1.${index}
ENV PATH="/opt/service/bin:\${PATH}" SERVICE_VERSION=\${VERSION:-latest} LANG=C.UTF-8
LABEL org.opencontainers.image.title="service ${index}" org.opencontainers.image.version="\${VERSION}"
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \\
    apt-get update \\
    # kept small: no recommended packages
 && apt-get install -y --no-install-recommends \\
${packages}
      ca-certificates \\
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/service
COPY --chown=1000:1000 package.json package-lock.json tsconfig.json ./
RUN <<EOF
set -eu
${script}
EOF
COPY --link --chmod=0755 scripts/entrypoint.sh /usr/local/bin/
USER 1000
EXPOSE 8080/tcp
HEALTHCHECK --interval=30s CMD ["curl", "-f", "http://localhost:8080/healthz"]
ENTRYPOINT ["/usr/local/bin/entrypoint.sh", "--config", "/etc/service.json"]
`
}

function fill(part: (index: number) => string): string {
  const parts: string[] = []
  for (let length = 0, index = 0; length < size; index++) {
    const text = part(index)
    length += text.length
    parts.push(text)
  }
  return parts.join('')
}

const body = fill((i) => `line ${i} of a generated file with some words on it\n`).slice(0, 1_600_000)

const workloads: Readonly<Record<string, string>> = {
  'ordinary stages, 2 MB': fill(ordinaryStage),
  'one heredoc of 1.6 MB': `FROM scratch\nCOPY <<EOF /file\n${body}\nEOF\n`,
  'one RUN of 2 MB': `FROM scratch\nRUN true \\\n${fill((i) => `  && echo "step ${i} of the long command line" \\\n`)}  && true\n`,
  'short instructions, 2 MB': `FROM scratch\n${fill((i) => `RUN install package-${i} and its dependencies into /opt\n`)}`,
}

/**
 * CPU time of this thread per call, milliseconds, its garbage collection included: the same on an idle and on a busy
 * machine. The clock of the system may tick in steps of 4 ms, so calls are counted over a longer time.
 */
function measure(work: () => unknown): number {
  const run = (limit: number): number => {
    const before = process.threadCpuUsage()
    for (let calls = 1; ; calls++) {
      work()
      const { user, system } = process.threadCpuUsage(before)
      const spent = (user + system) / 1000
      if (spent > limit) return spent / calls
    }
  }
  run(duration / 2)
  return run(duration)
}

let failed = false
for (const [name, text] of Object.entries(workloads)) {
  const plain = measure(() => text.split('\n'))
  // What a line is to the scanner: a carriage return before the newline does not belong to it.
  const split = measure(() => text.split(/\r?\n/))
  const scan = measure(() => scanDockerfile(new SourceFile('Dockerfile', text)))
  const both = measure(() => parseDockerfile(scanDockerfile(new SourceFile('Dockerfile', text))))
  const ratio = both / split
  if (ratio > bound) failed = true
  const ms = (time: number) => `${time.toFixed(2).padStart(6)} ms`
  process.stdout.write(
    `${name.padEnd(26)} split ${ms(split)}   scan ${ms(scan)}   scan and parse ${ms(both)}   ratio ${ratio.toFixed(1)}` +
      `   (at '\\n' alone: split ${ms(plain)}, ratio ${(both / plain).toFixed(1)})\n`,
  )
}
process.exitCode = failed ? 1 : 0

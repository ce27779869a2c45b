import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { COMMANDS } from '../commands/index.ts'
import { command } from '../commands/migrate.ts'
import { BUILD_FLAGS, draftBuild } from '../flags/build/index.ts'
import { type BuildRequest, resolveBuild } from '../flags/build/resolve.ts'
import { GLOBAL_FLAGS, globalOptions } from '../flags/global.ts'
import { parseArguments } from '../flags/parse.ts'
import { draftKaniko, KANIKO_FLAGS } from '../kaniko/flags.ts'
import { resolveKaniko } from '../kaniko/request.ts'
import { ShellLine } from './shell-words.ts'

/** Runs the command. */
async function migrate(tool: string, line: string): Promise<{ readonly out: string; readonly notes: string[] }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const io = { stdin: new PassThrough(), stdout, stderr, env: {}, cwd: '/' }
  const { signal } = new AbortController()
  const run = command.run(
    { values: {}, words: [tool, line] },
    { io, signal, global: { debug: false }, commands: COMMANDS },
  )
  await run.finally(() => {
    stdout.end()
    stderr.end()
  })
  return { out: (await text(stdout)).trimEnd(), notes: (await text(stderr)).split('\n').filter(Boolean) }
}

/** What `tsbuild build` makes of a command that was printed. */
function request(out: string): BuildRequest {
  const { words } = new ShellLine(out)
  expect(words.slice(0, 2)).toEqual(['tsbuild', 'build'])
  const parsed = parseArguments(words.slice(2), [...BUILD_FLAGS, ...GLOBAL_FLAGS])
  return resolveBuild(draftBuild(parsed.values, {}), parsed.words, globalOptions(parsed.values))
}

describe('words of a shell', () => {
  it.each<[string, string[], string?]>([
    ['a  b\tc', ['a', 'b', 'c']],
    [`a\\\n  b \\\r\n c`, ['a', 'b', 'c']],
    [`'a b' "c d" e\\ f ''`, ['a b', 'c d', 'e f', '']],
    [`a'b'"c"d`, ['abcd']],
    [`'it'\\''s' "say \\"hi\\" \\n"`, ["it's", 'say "hi" \\n']],
    [`'$A' "\\$B" \\$C $`, ['$A', '$B', '$C', '$']],
  ])('%j', (line, words) => {
    const parsed = new ShellLine(line)
    expect(parsed.words).toEqual(words)
    expect(new ShellLine(words.map((word) => parsed.quote(word)).join(' ')).words).toEqual(words)
  })

  it.each([
    ['$A', '$A'],
    ['"$A"', '"$A"'],
    ['a=$A', '"a=$A"'],
    [`'$A'"$A"`, '"\\$A$A"'],
    [`"\${A:-a b}:$(git describe --tags "x y")" \`id -u\``, `"\${A:-a b}:$(git describe --tags "x y")" \`id -u\``],
    ['~/x ~ a~', "~/x ~ 'a~'"],
    ['"a $B \\`c\\`"', '"a $B \\`c\\`"'],
  ])('%s keeps its expansions', (line, expected) => {
    const parsed = new ShellLine(line)
    expect(parsed.words.map((word) => parsed.quote(word)).join(' ')).toBe(expected)
  })

  it.each([
    ["a 'b", 'a single quote does not end'],
    ['a "b', 'a double quote does not end'],
    ['a $(b', 'does not end'],
    ['a `b', 'a backquote does not end'],
    ['a | b', 'only one command can be read, without "|"'],
    ['a && b', 'only one command'],
    ['a > b', 'only one command'],
    ['a\nb', 'only one command'],
    ["a $'b'", "$'…' is not read"],
  ])('%j is refused', (line, message) => expect(() => new ShellLine(line)).toThrow(message))
})

describe('tsbuild migrate kaniko', () => {
  it.each([
    '--destination r.example/app:1 --context /src',
    '--destination=r.example/app:1 -d r.example/b -c /src -f /src/docker/Dockerfile --build-arg A=b\\ c --label "x=y z"',
    '-d r/a:1 -c git://h.example/o/r#refs/heads/main --context-sub-path d --target t --custom-platform linux/arm64',
    '-d r/a:1 -c https://h.example/x.tar.gz --cache --cache-repo r/cache --compression zstd --compression-level 3',
    '-d r/a:1 -c tar://stdin --cache --insecure --insecure-registry h:1 --annotation a=b --secret id=s,src=/f',
    '-c /src --no-push --tar-path "a,b.tar" --oci-layout-path out --reproducible --registry-mirror m --registry-mirror n/p',
    '-c /src --no-push --image-format docker --kaniko-dir /k --registry-map q.io=r.io --registry-certificate h=/etc/hostname',
  ])('%s is the same build', async (args) => {
    const { words: list } = new ShellLine(args)
    const { values, words } = parseArguments(list, KANIKO_FLAGS)
    const wanted = resolveKaniko(
      draftKaniko(values, {}),
      words,
      { debug: false },
      { exists: (path) => path.startsWith('/src') },
    )
    const { env: _, dockerConfig: __, ...options } = wanted.options
    const { out } = await migrate('kaniko', `/kaniko/executor ${args}`)
    const { env: ___, ...found } = request(out).options
    const usual = found.dockerfile === undefined && options.dockerfile !== undefined
    expect({ buildArgs: {}, ...options }).toEqual({ ...found, ...(usual && { dockerfile: '/src/Dockerfile' }) })
  })

  it('keeps what only the shell knows, and says what is left', async () => {
    const { out, notes } = await migrate(
      'kaniko',
      `executor --context "$CI_PROJECT_DIR" --dockerfile $CI_PROJECT_DIR/Dockerfile --destination "\${IMAGE}:$TAG" \\
        --build-arg V=$V --build-arg HTTP_PROXY --cache=true --single-snapshot --snapshot-mode=redo --digest-file d -v debug $EXTRA`,
    )
    expect(out).toBe(
      [
        `tsbuild build -t "\${IMAGE}:$TAG" -f "$CI_PROJECT_DIR/Dockerfile" --push --build-arg "V=$V" --build-arg HTTP_PROXY`,
        `--cache-from "type=registry,ref=\${IMAGE}/cache:tsbuild"`,
        `--cache-to "type=registry,ref=\${IMAGE}/cache:tsbuild,mode=max,ignore-error=true" "$CI_PROJECT_DIR"`,
      ].join(' '),
    )
    expect(notes).toEqual([
      'NOTE: left out: $EXTRA, whose flags have to be translated, too',
      expect.stringContaining('left out: --single-snapshot is not supported ('),
      expect.stringContaining('--snapshot-mode has no effect'),
      expect.stringContaining('files with digests: '),
      expect.stringContaining('logs: '),
    ])
  })

  it('reads an archive where kaniko does', async () => {
    const { out } = await migrate(
      'kaniko',
      'executor --context "tar://my context.tar.gz" --no-push --cache --no-push-cache',
    )
    expect(out).toBe("tsbuild build --output type=image,store=false - < 'my context.tar.gz'")
  })

  it.each([
    ['executor --foo', 'unknown flag: --foo'],
    ['executor --context .', 'you must provide --destination'],
    ['executor -c s3://b/k -d x', 'contexts in s3:// are not read'],
    ['executor build -d x', 'unknown command "build"'],
  ])('%s is refused', async (line, message) => {
    await expect(migrate('kaniko', line)).rejects.toThrow(message)
  })
})

describe('tsbuild migrate docker, podman, buildah', () => {
  it.each([
    ['docker', 'docker build -t app .', 'tsbuild build -t app .'],
    [
      'docker',
      'DOCKER_BUILDKIT=1 docker buildx build --push -tapp:1 --platform=linux/amd64,linux/arm64 "a b"',
      "tsbuild build --push -t app:1 --platform linux/amd64,linux/arm64 'a b'",
    ],
    ['docker', 'docker image build --rm --no-cache=false -qt x -', 'tsbuild build --no-cache=false -q -t x -'],
    ['docker', 'docker build --builder b --squash --security-opt x --memory 1g .', 'tsbuild build --memory 1g .'],
    ['docker', 'docker build $ARGS -t x $DIR', 'tsbuild build -t x $ARGS $DIR'],
    ['docker', '--load -t "$IMAGE" -- .', 'tsbuild build --load -t "$IMAGE" .'],
    [
      'docker',
      'docker build --shm-size $SIZE --ulimit nofile=1:2 .',
      'tsbuild build --shm-size $SIZE --ulimit nofile=1:2 .',
    ],
    [
      'podman',
      'podman build --format docker --layers --jobs 4 --pull=newer -v /a:/b --arch arm64 -t x',
      'tsbuild build --output type=image,oci-mediatypes=false --pull --platform linux/arm64 -t x .',
    ],
    [
      'podman',
      'podman build --isolation=rootless --network slirp4netns --tls-verify=false --timestamp 0 -f C .',
      'tsbuild build --build-arg SOURCE_DATE_EPOCH=0 -f C .',
    ],
    [
      'buildah',
      'buildah bud --isolation chroot --pull-always --manifest m --runtime /usr/bin/crun .',
      'tsbuild build --isolation chroot --pull -t m --isolation oci --oci-runtime /usr/bin/crun .',
    ],
    ['buildah', 'buildah build-using-dockerfile --creds a:b --logfile l -q', 'tsbuild build -q .'],
  ])('%s: %s', async (tool, line, expected) => {
    const { out } = await migrate(tool, line)
    expect(out).toBe(expected)
    if (!out.includes('$')) request(out)
  })

  it('says what is left out, and why', async () => {
    const { notes } = await migrate('podman', 'podman build --squash --compress --jobs 4 --network slirp4netns -t x .')
    expect(notes).toEqual([
      expect.stringContaining('left out: --squash is not supported ('),
      'NOTE: left out: --compress has no effect',
      expect.stringContaining('--jobs: left out, steps that do not need each other run side by side'),
      expect.stringContaining('left out: --network slirp4netns, since it must be one of'),
      expect.stringContaining('the image goes to the local store of tsbuild'),
      expect.stringContaining('a Containerfile is not looked for'),
    ])
  })

  it.each([
    ['docker', 'docker run x', 'this is no build of docker: run x'],
    ['docker', 'docker build', 'the command line has no context'],
    ['docker', 'docker build a b', 'there is more than one context: a b'],
    ['docker', 'docker build --tga x .', 'unknown flag: --tga'],
    ['docker', 'docker build -t', 'flag needs an argument: -t'],
    ['docker', 'docker build --ulimit x .', 'invalid ulimit argument: x'],
    ['podman', 'podman build --creds', 'flag needs an argument: --creds'],
    ['nerdctl', 'nerdctl build .', 'unknown tool: nerdctl'],
  ])('%s: %s is refused', async (tool, line, message) => {
    await expect(migrate(tool, line)).rejects.toThrow(message)
  })
})

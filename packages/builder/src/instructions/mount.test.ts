// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of a Dockerfile are written like this
import { describe, expect, it } from 'vitest'
import { expandWord } from '../dockerfile/expand.ts'
import { scanDockerfile } from '../dockerfile/scan.ts'
import { SourceFile } from '../source.ts'
import { resolveMount } from './mount.ts'
import { parseDockerfile } from './parse.ts'

const variables = new Map([['v', 'value']])
const resolve = (text: string, cwd = '/work') => {
  const file = new SourceFile('Dockerfile', `FROM a\nRUN --mount=${text} x`)
  const [run] = parseDockerfile(scanDockerfile(file)).stages[0]!.instructions
  if (run?.kind !== 'RUN') throw new Error('no RUN')
  return resolveMount(run.mounts[0]!, (value) => expandWord(value, variables, '\\').value, { cwd })
}

describe('resolveMount', () => {
  it.each<[string, object]>([
    ['target=/a', { type: 'bind', from: undefined, source: '', target: '/a', readonly: true }],
    ['type=bind,source=b,dst=c,rw', { source: 'b', target: '/work/c', readonly: false }],
    ['type=bind,src=b,destination=/c,readonly=false,from=x', { from: 'x', readonly: false }],
    ['TYPE=Bind,Target=/$v', { type: 'bind', target: '/value' }],
    ['type=bind,target=/a,from=', { from: undefined }],
    ['type=bind', { target: '/work' }],
    ['\\"target=/a,b\\",rw=true', { target: '/a,b', readonly: false }],
    [
      'type=cache,target=/c/',
      {
        type: 'cache',
        id: '/c',
        target: '/c',
        sharing: 'shared',
        readonly: false,
        from: undefined,
        source: '',
        mode: 0o755,
        uid: 0,
        gid: 0,
      },
    ],
    ...['/v/c/', '//v//c', '/v/./c/.', '/v/x/../c', '/../v/c'].map((target): [string, object] => [
      `type=cache,target=${target}`,
      { id: '/v/c', target: '/v/c' },
    ]),
    ['type=cache,target=c/', { id: 'c', target: '/work/c' }],
    ['type=cache,target=/v,id=/v/', { id: '/v/', target: '/v' }],
    ['type=tmpfs,target=/t//u/', { target: '/t/u' }],
    [
      'type=cache,target=c,id=i$v,sharing=LOCKED,mode=0700,uid=1,gid=2,ro,source=s',
      { id: 'ivalue', target: '/work/c', sharing: 'locked', mode: 0o700, uid: 1, gid: 2, readonly: true, source: 's' },
    ],
    ['type=tmpfs,target=/t', { type: 'tmpfs', target: '/t', size: undefined }],
    ['type=tmpfs,target=/t,size=1.5m', { size: 1_572_864 }],
    ['type=tmpfs,target=/t,size=2GiB', { size: 2 ** 31 }],
    [
      'type=secret,id=a',
      {
        type: 'secret',
        id: 'a',
        target: '/run/secrets/a',
        env: undefined,
        required: false,
        mode: 0o400,
        uid: 0,
        gid: 0,
      },
    ],
    ['type=secret,id=a/b', { id: 'a/b', target: '/run/secrets/b' }],
    ['type=secret,source=a', { id: 'a', target: '/run/secrets/a' }],
    ['type=secret,target=/x/y', { id: 'y', target: '/x/y' }],
    ['type=secret,id=a,env=E', { env: 'E', target: undefined }],
    [
      'type=secret,id=a,env=E,target=x,required,mode=0440,uid=5',
      { env: 'E', target: '/work/x', required: true, mode: 0o440, uid: 5 },
    ],
    ['type=ssh', { type: 'ssh', id: 'default', target: undefined, required: false, mode: 0o600, uid: 0, gid: 0 }],
    ['type=ssh,id=x,required=1,target=/s', { id: 'x', required: true, target: '/s' }],
    ['type=cache,target=/a,target=/b', { target: '/b' }],
    ['type=${v:+tmpfs},target=/a', { type: 'tmpfs' }],
  ])('%s', (text, expected) => {
    expect(resolve(text)).toMatchObject(expected)
  })

  it.each<[string, string]>([
    ['type=bnd,target=/a', 'unsupported mount type "bnd" (did you mean bind?)'],
    ['type=bind,tarjet=/a', "unexpected key 'tarjet' in 'tarjet=/a' (did you mean target?)"],
    ['type=bind,tarjet', "invalid field 'tarjet' must be a key=value pair"],
    ['type=bind,target=/a,ro=maybe', 'invalid value for ro: maybe'],
    ['type=bind,target=/', 'invalid mount target "/"'],
    ['type=bind,target=/a,mode=0700', 'mode not allowed for "bind" type mounts'],
    ['type=tmpfs,target=/a,uid=1', 'uid not allowed for "tmpfs" type mounts'],
    ['type=bind,target=/a,sharing=shared', 'invalid cache sharing set for bind mount'],
    ['type=bind,target=/a,env=E', 'env not allowed for "bind" type mounts'],
    ['type=bind,target=/a,required', "unexpected key 'required' for mount type 'bind'"],
    ['required,type=secret,id=a', "unexpected key 'required' for mount type 'bind'"],
    ['type=bind,target=/a,size=5', "unexpected key 'size' for mount type 'bind'"],
    ['type=tmpfs,target=/a,size=x', 'invalid value for size: x'],
    ['type=cache,target=/a,sharing=lockd', 'unsupported sharing value "lockd" (did you mean locked?)'],
    ['type=cache,target=/a,mode=999', 'invalid value 999 for mode'],
    ['type=cache,target=/a,uid=-1', 'invalid value -1 for uid'],
    ['type=cache,target=/a,gid=4294967296', 'invalid value 4294967296 for gid'],
    ['type=secret', 'invalid secret mount. one of source, target required'],
    ['type=secret,id=a,source=b', "both source and id can't be set"],
    ['type=secret,id=a,from=b', 'secret mount should not have a from'],
    ['type=secret,id=a,sharing=shared', 'secret mount should not define sharing'],
    ['type=ssh,source=a', 'ssh does not support source'],
  ])('refuses %s', (text, message) => {
    expect(() => resolve(text)).toThrow(expect.objectContaining({ message, at: expect.anything() }))
  })

  it('refuses the root as working directory and target', () => {
    expect(() => resolve('type=tmpfs', '/')).toThrow('invalid mount target "/"')
  })
})

/**
 * For tests, loaded before a program: makes it run as on a machine that is no Linux, by a user who is not root, without
 * koffi, /proc or other processes.
 */
import childProcess from 'node:child_process'
import fs from 'node:fs'
import { registerHooks, syncBuiltinESMExports } from 'node:module'
import process from 'node:process'

Object.defineProperty(process, 'platform', { value: 'darwin' })
/** Whose the files are that it finds, unless those are root's. */
const USER = process.getuid() || 501
for (const name of ['getuid', 'geteuid', 'getgid', 'getegid']) process[name] = () => USER

function refuse(what) {
  throw Object.assign(new Error(`${what} is not there on this platform`), { code: 'ENOENT' })
}

const inProc = (path) => /^\/proc(\/|$)/.test(String(path))
for (const api of [fs, fs.promises])
  for (const [name, call] of Object.entries(api))
    if (typeof call === 'function' && /^[a-z]/.test(name))
      api[name] = function (path, ...rest) {
        if ((typeof path === 'string' || Buffer.isBuffer(path)) && inProc(path)) refuse(path)
        return call.call(this, path, ...rest)
      }
for (const name of ['spawn', 'spawnSync', 'fork', 'exec', 'execFile', 'execSync', 'execFileSync'])
  childProcess[name] = () => refuse(`child_process.${name}`)
syncBuiltinESMExports()

registerHooks({
  resolve(specifier, context, next) {
    if (/koffi/.test(specifier)) refuse(specifier)
    return next(specifier, context)
  },
})

import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { copyProgram, openProgram, PROGRAM_PATH } from './program.ts'

const isRoot = process.getuid?.() === 0

/** Prints what can be done to the file that this program was executed from, by any of the ways that lead to it. */
const attack = `
  const fs = require('fs')
  const fd = fs.openSync('/proc/self/exe', 0o10000000)
  const ways = ['/proc/self/exe', '/proc/' + process.pid + '/exe', '/proc/self/fd/' + fd]
  for (const way of ways) {
    const stat = fs.statSync(way)
    for (const [name, act] of Object.entries({
      chmod: () => fs.chmodSync(way, stat.mode & 0o7777),
      chown: () => fs.chownSync(way, stat.uid, stat.gid),
      utimes: () => fs.utimesSync(way, stat.atime, stat.mtime),
      write: () => fs.closeSync(fs.openSync(way, 'r+')),
      append: () => fs.closeSync(fs.openSync(way, 'a')),
      truncate: () => fs.truncateSync(way, stat.size),
    })) try { act(); console.log(name) } catch {}
  }
  const run = (args, options) => require('child_process').spawnSync(args[0], args.slice(1), options)
  // Other programs have an executable of their own.
  for (const way of ['/proc/' + process.pid + '/exe', '/proc/' + process.pid + '/fd/' + fd]) {
    for (const args of [['setfattr', '-n', 'user.x', '-v', '1', way], ['setcap', 'cap_chown+ep', way], ['ln', '-L', way, process.env.DIR + '/link']])
      if (run(args).status === 0) console.log(args[0])
  }
  console.log('ran')`

function attackFrom(fd: number): string {
  const directory = fs.mkdtempSync(join(os.tmpdir(), 'tsbuild-program-'))
  try {
    const { stdout } = spawnSync(PROGRAM_PATH, ['-e', attack], {
      stdio: ['ignore', 'pipe', 'inherit', 'ignore', fd],
      env: { PATH: process.env.PATH, DIR: directory },
      encoding: 'utf8',
    })
    return stdout
  } finally {
    fs.closeSync(fd)
    fs.rmSync(directory, { recursive: true })
  }
}

function state(): unknown {
  const { mode, uid, gid, size, mtimeNs, ctimeNs, nlink } = fs.statSync(process.execPath, { bigint: true })
  return { mode, uid, gid, size, mtimeNs, ctimeNs, nlink }
}

it.skipIf(!isRoot)('lets nothing be changed in the machine’s Node (needs root)', () => {
  const before = state()
  expect(attackFrom(openProgram())).toBe('ran\n')
  expect(state()).toEqual(before)
})

it('is a copy of which nothing is the machine’s where mounts cannot be had', () => {
  const before = state()
  const out = attackFrom(copyProgram())
  expect(out).toContain('ran\n')
  expect(out).not.toMatch(/write|append|truncate/)
  expect(state()).toEqual(before)
})

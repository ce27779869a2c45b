/** `type=local` and `type=tar`: whose the files are, and that none vanishes without a word. */
import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, inject, it } from 'vitest'
import { listTar } from '../support/image-layout.ts'
import { run } from '../support/process.ts'
import { userCases } from '../support/users.ts'

describe('files of an image', () => {
  for (const { title, skip, ordinary, open } of userCases('docker-registry', 'busybox'))
    it.skipIf(skip)(`belong to the caller: ${title}`, async () => {
      await using user = await open()
      const { place, options } = user
      const context = await place.files({
        Dockerfile: `
          FROM ${inject('registry')}/busybox
          RUN mkdir /d && echo x > /d/f && ln -s f /d/l && mkfifo -m 0640 /d/pipe \\
            && ${ordinary ? 'true' : 'mknod -m 0660 /d/null c 1 3'} \\
            && chown -R 33:44 /d && chown -h 33:44 /d/l && chmod 4751 /d/f && chmod 2750 /d && ln /d/f /d/g`,
      })
      const out = place.join('out')
      await place.must(['--progress=plain', '-o', `type=local,dest=${out}`, context], options)
      const own = { uid: options.uid ?? process.getuid!(), gid: options.gid ?? process.getgid!() }
      for (const path of ['', ...(readdirSync(out, { recursive: true }) as string[])])
        expect(lstatSync(join(out, path)), path).toMatchObject(own)
      const mode = (path: string): string => (lstatSync(join(out, path)).mode & 0o7777).toString(8)
      expect(mode('d')).toBe('2750')
      expect(mode('d/f')).toBe('4751')
      expect(lstatSync(join(out, 'd/f')).ino).toBe(lstatSync(join(out, 'd/g')).ino)
      expect(lstatSync(join(out, 'd/pipe')).isFIFO()).toBe(true)
      expect(mode('d/pipe')).toBe('640')
      if (!ordinary) {
        expect(lstatSync(join(out, 'd/null'))).toMatchObject({ rdev: lstatSync('/dev/null').rdev })
        expect(mode('d/null')).toBe('660')
      }
      // Written over what is there, and taken away by whom it belongs to.
      await place.must(['--progress=plain', '-o', `type=local,dest=${out}`, context], options)
      expect((await run('rm', ['-r', out], options)).code).toBe(0)

      const tar = place.join('out.tar')
      await place.must(['--progress=plain', '-o', `type=tar,dest=${tar}`, context], options)
      const entries = await listTar(tar)
      expect(entries.get('d/f')).toMatchObject({ owner: '33/44', mode: '-rwsr-x--x' })
      expect(entries.get('d/pipe')).toMatchObject({ mode: 'prw-r-----' })
    })
})

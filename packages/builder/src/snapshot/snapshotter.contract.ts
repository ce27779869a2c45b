/**
 * What every snapshotter must do. The cases run in a process of their own, inside the namespaces that the kind needs
 * (contract-main.ts), so they use plain assertions.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { fsPath } from '../util/raw-path.ts'
import { damageCases } from './damage.contract.ts'
import { mountPointCases } from './mount-points.contract.ts'
import type { SnapshotId } from './snapshotter.ts'
import { type ContractCase, changesOf, layer, sh, type Write } from './testing/contract-case.ts'
import { timesCases } from './times.contract.ts'

const OLD = new Date('2020-01-02T03:04:05.678Z')

/** The layer below in the table of changes. */
function base(root: string): void {
  sh(`
    mkdir -p etc d/sub/deep e/x empty
    echo 1 > d/1; echo 2 > d/2; echo s > d/sub/s; echo z > d/sub/deep/z
    echo conf > etc/conf; echo old > f; ln -s f link; echo h > h; echo a > e/x/a
  `)(root)
  for (const path of ['d/1', 'd/2', 'd/sub/s', 'f', 'h', 'e/x/a', 'etc/conf']) fs.utimesSync(join(root, path), OLD, OLD)
}

/** [what is done on top of base, the changes, needs more ids than 0] */
const changeTable: readonly (readonly [name: string, write: Write, changes: readonly string[], manyIds?: boolean])[] = [
  ['nothing', () => undefined, []],
  ['a file that came and went', sh('touch e/x/t; rm e/x/t; mkdir e/y; rmdir e/y'), []],
  ['a file opened for writing and left alone', (root) => fs.closeSync(fs.openSync(join(root, 'd/1'), 'r+')), []],
  ['the same mode again', sh('chmod 644 f; chmod 755 d'), []],
  ['another mode', sh('chmod 600 d/1'), ['+d/', '+d/1']],
  ['another mode of a directory', sh('chmod 700 d/sub'), ['+d/', '+d/sub/']],
  ['another owner', (root) => fs.chownSync(join(root, 'd/1'), 7, 8), ['+d/', '+d/1'], true],
  ['a new file', sh('echo n > d/new'), ['+d/', '+d/new']],
  ['new directories', sh('mkdir -p n/e/w; echo x > n/e/w/f'), ['+n/', '+n/e/', '+n/e/w/', '+n/e/w/f']],
  ['a new directory moved into another', sh('mkdir n m; touch m/f; mv m n/'), ['+n/', '+n/m/', '+n/m/f']],
  ['a deleted file', sh('rm d/1'), ['+d/', '-d/1']],
  ['a deleted directory', sh('rm -r d'), ['-d']],
  ['a file replaced by a directory', sh('rm f; mkdir f; touch f/x'), ['+f/', '+f/x']],
  ['a directory replaced by a file', sh('rm -r d; echo x > d'), ['+d']],
  ['a directory replaced by a link', sh('rm -r d; ln -s e d'), ['+d']],
  [
    'a directory made anew',
    sh('rm -r d; mkdir -p d/sub; echo 3 > d/3'),
    ['+d/', '-d/1', '-d/2', '+d/3', '+d/sub/', '-d/sub/deep', '-d/sub/s'],
  ],
  ['a directory made anew as it was', sh('cp -a d copy; rm -r d; cp -a copy d; rm -r copy'), []],
  [
    'a renamed directory',
    sh('mv d/sub moved'),
    ['+d/', '-d/sub', '+moved/', '+moved/deep/', '+moved/deep/z', '+moved/s'],
  ],
  ['a new link to a file', sh('ln h i'), ['+h', '+i']],
  ['a changed link', sh('rm link; ln -s e link'), ['+link']],
  [
    'content of the same size and time',
    (root) => {
      fs.writeFileSync(join(root, 'f'), 'new\n')
      fs.utimesSync(join(root, 'f'), OLD, OLD)
    },
    ['+f'],
  ],
  ['another time', (root) => fs.utimesSync(join(root, 'f'), 1, 1), ['+f']],
  ['an extended attribute', sh('setfattr -n user.note -v hello f'), ['+f']],
  [
    'a fifo, and a socket, which no layer can hold',
    sh(`mkfifo p; '${process.execPath}' -e "require('net').createServer().listen('s', () => process.exit())"`),
    ['+p'],
  ],
  ['the root directory', sh('chmod 700 .'), ['+/']],
  [
    'names that are not UTF-8',
    (root) => fs.writeFileSync(Buffer.from([...Buffer.from(`${root}/`), 0x61, 0xff, 0x62]), 'x'),
    ['+a\udcffb'],
  ],
  ['names in byte order', sh('mkdir x; touch x/b x.a x/a x-'), ['+x/', '+x/a', '+x/b', '+x-', '+x.a']],
]

const changeCases: readonly ContractCase[] = changeTable.map(([name, write, expected, needsIds]) => ({
  name: `reports ${name}`,
  async run({ open, manyIds }) {
    if (needsIds && !manyIds) return
    await using s = open()
    await layer(s, [], 'base', base)
    await layer(s, ['base'], 'top', write)
    assert.deepEqual(await changesOf(s, 'top'), expected)
    // What is read back from the layers is what was written.
    await using seen = await s.view(['base', 'top'])
    await using again = await s.prepare(['base'])
    write(again.root)
    assert.deepEqual(listing(seen.root), listing(again.root))
  },
}))

/** Everything in a tree but times, one line each. */
function listing(root: string, prefix = ''): string[] {
  return fs.readdirSync(join(root, prefix), { withFileTypes: true, encoding: 'latin1' }).flatMap((entry) => {
    const name = entry.name as unknown as string
    const path = Buffer.from(join(root, prefix, name), 'latin1')
    const stat = fs.lstatSync(path)
    if (stat.isSocket()) return []
    const content = stat.isFile() ? fs.readFileSync(path, 'latin1') : stat.isSymbolicLink() ? fs.readlinkSync(path) : ''
    const line = `${join(prefix, name)} ${stat.mode.toString(8)} ${stat.uid}:${stat.gid} ${JSON.stringify(content)}`
    return stat.isDirectory() ? [line, ...listing(root, join(prefix, name))] : [line]
  })
}

const mode = (path: string) => (fs.statSync(path).mode & 0o7777).toString(8)

const lifeCases: readonly ContractCase[] = [
  {
    name: 'begins with an empty root, 0755 and owned by root',
    async run({ open }) {
      await using s = open()
      await using active = await s.prepare([])
      await using view = await s.view([])
      for (const root of [active.root, view.root]) {
        const { uid, gid } = fs.statSync(root)
        assert.deepEqual([fs.readdirSync(root), mode(root), uid, gid], [[], '755', 0, 0])
      }
    },
  },
  {
    name: 'keeps what is committed and deletes what is not',
    async run({ open }) {
      await using s = open()
      assert.equal(await s.has('a'), false)
      {
        await using lost = await s.prepare([])
        fs.writeFileSync(join(lost.root, 'f'), '')
      }
      await layer(s, [], 'a', sh('echo 1 > f'))
      assert.equal(await s.has('a'), true)
      await using other = open()
      assert.equal(await other.has('a'), true)
      await using view = await other.view(['a'])
      assert.equal(fs.readFileSync(join(view.root, 'f'), 'utf8'), '1\n')
    },
  },
  {
    name: 'keeps the first of two with one id',
    async run({ open }) {
      await using s = open()
      await using first = await s.prepare([])
      await using second = await s.prepare([])
      fs.writeFileSync(join(first.root, 'one'), '')
      fs.writeFileSync(join(second.root, 'two'), '')
      await first.commit('a')
      await second.commit('a')
      assert.deepEqual(await changesOf(s, 'a'), ['+one'])
    },
  },
  {
    name: 'keeps active snapshots of one stack apart',
    async run({ open }) {
      await using s = open()
      await layer(s, [], 'a', base)
      await using one = await s.prepare(['a'])
      await using two = await s.prepare(['a'])
      fs.writeFileSync(join(one.root, 'f'), 'one')
      fs.rmSync(join(two.root, 'd'), { recursive: true })
      assert.equal(fs.readFileSync(join(two.root, 'f'), 'utf8'), 'old\n')
      await one.commit('one')
      await two.commit('two')
      assert.deepEqual([await changesOf(s, 'one'), await changesOf(s, 'two')], [['+f'], ['-d']])
    },
  },
  {
    name: 'shows a view unchanged while others build on its stack',
    async run({ open }) {
      await using s = open()
      await layer(s, [], 'a', base)
      await layer(s, ['a'], 'b', sh('echo b > b'))
      await using view = await s.view(['a', 'b'])
      const before = listing(view.root)
      await layer(s, ['a', 'b'], 'c', sh('rm -r d; echo new > f'))
      assert.deepEqual(listing(view.root), before)
    },
  },
  {
    name: 'hides through several layers what was deleted, also when it comes back',
    async run({ open }) {
      await using s = open()
      const stack: SnapshotId[] = []
      stack.push(await layer(s, stack, 'a', base))
      stack.push(await layer(s, stack, 'b', sh('rm -r d; rm f')))
      stack.push(await layer(s, stack, 'c', sh('touch other')))
      stack.push(await layer(s, stack, 'd', sh('mkdir -p d/sub; echo back > f')))
      await using view = await s.view(stack)
      assert.deepEqual(fs.readdirSync(join(view.root, 'd')), ['sub'])
      assert.deepEqual(fs.readdirSync(join(view.root, 'd/sub')), [])
      assert.equal(fs.readFileSync(join(view.root, 'f'), 'utf8'), 'back\n')
      assert.deepEqual(await changesOf(s, 'd'), ['+d/', '+d/sub/', '+f'])
    },
  },
  {
    name: 'stacks a layer that was made on nothing on anything, twice too',
    async run({ open }) {
      await using s = open()
      await layer(s, [], 'a', base)
      await layer(s, [], 'link', sh('mkdir d; echo new > d/1'))
      for (const stack of [
        ['a', 'link'],
        ['link', 'a', 'link'],
      ]) {
        await using view = await s.view(stack)
        assert.deepEqual(fs.readdirSync(join(view.root, 'd')).sort(), ['1', '2', 'sub'])
        assert.equal(fs.readFileSync(join(view.root, 'd/1'), 'utf8'), 'new\n')
      }
    },
  },
  {
    name: 'hands the attributes of the root directory on',
    async run({ open }) {
      await using s = open()
      await layer(s, [], 'a', sh('chmod 1700 .; touch a'))
      await layer(s, ['a'], 'b', sh('touch b'))
      await layer(s, [], 'link', sh('touch link'))
      assert.deepEqual(await changesOf(s, 'b'), ['+b'])
      for (const stack of [['a'], ['a', 'b'], ['a', 'b', 'link'], ['a', 'link']]) {
        await using view = await s.view(stack)
        await using active = await s.prepare(stack)
        assert.deepEqual([mode(view.root), mode(active.root)], ['1700', '1700'], stack.join())
      }
      await using plain = await s.view(['link'])
      assert.equal(mode(plain.root), '755')
    },
  },
  {
    name: 'stacks many layers',
    async run({ open, manyLayers }) {
      await using s = open()
      const stack: SnapshotId[] = []
      for (let i = 0; i < manyLayers; i++) {
        stack.push(
          await layer(s, stack, `layer-${'x'.repeat(60)}-${i}`, (root) =>
            fs.writeFileSync(join(root, `f${i % 50}`), String(i)),
          ),
        )
      }
      await using view = await s.view(stack)
      assert.equal(fs.readdirSync(view.root).length, Math.min(50, manyLayers))
      assert.equal(fs.readFileSync(join(view.root, `f${(manyLayers - 1) % 50}`), 'utf8'), String(manyLayers - 1))
    },
  },
  {
    name: 'lists and removes',
    async run({ open }) {
      await using s = open()
      await layer(s, [], 'a', (root) => fs.writeFileSync(join(root, 'f'), Buffer.alloc(100_000, 'x')))
      await layer(s, [], 'b', base)
      const found = await Array.fromAsync(s.list())
      assert.deepEqual(found.map((f) => f.id).sort(), ['a', 'b'])
      const a = found.find((f) => f.id === 'a')!
      assert.ok(a.size >= 100_000 && a.size < 130_000, `size ${a.size}`)
      assert.deepEqual(await Array.fromAsync(s.list()), found)
      assert.ok(Date.now() - a.lastUsed < 60_000 && a.created <= Date.now())
      await s.remove('a')
      await s.remove('unknown')
      assert.deepEqual([await s.has('a'), await s.has('b')], [false, true])
      await assert.rejects(s.prepare(['b', 'a']), { code: 'SNAPSHOT_MISSING' })
      await assert.rejects(s.view(['a']), { code: 'SNAPSHOT_MISSING' })
    },
  },
  {
    name: 'refuses ids that are not file names',
    async run({ open }) {
      await using s = open()
      for (const id of ['', '.', '..', '../x', 'a/b', '.hidden', 'a\0b', 'x'.repeat(101)]) {
        await assert.rejects(s.has(id), { code: 'SNAPSHOT_ID' }, id)
        await using active = await s.prepare([])
        await assert.rejects(active.commit(id), { code: 'SNAPSHOT_ID' }, id)
      }
    },
  },
  {
    name: 'does not trust what was not on disk when the machine went down',
    async run({ open, directory }) {
      await using s = open()
      for (const id of ['lost', 'kept']) {
        await layer(s, [], id, sh('touch f'))
        const facts = join(directory, id, 'layer.json')
        fs.writeFileSync(facts, fs.readFileSync(facts, 'utf8').replace(/"boot":"[^"]*"/, '"boot":"another"'))
      }
      fs.writeFileSync(join(directory, 'kept/synced'), '')
      assert.deepEqual([await s.has('lost'), await s.has('kept')], [false, true])
      await layer(s, [], 'lost', sh('touch again'))
      assert.deepEqual(await changesOf(s, 'lost'), ['+again'])
      // The next process after the boot cleans up.
      fs.rmSync(join(directory, 'kept/synced'))
      fs.writeFileSync(join(directory, '.boot'), 'another')
      await open()[Symbol.asyncDispose]()
      assert.deepEqual(
        fs.readdirSync(directory).filter((name) => !name.startsWith('.')),
        ['lost'],
      )
    },
  },
  {
    name: 'removes what a dead process left',
    async run({ open, directory }) {
      await open()[Symbol.asyncDispose]()
      const dead = join(directory, `.new-999999999-1-${/\d+/.exec(fs.readlinkSync('/proc/self/ns/pid'))![0]}.1`)
      fs.mkdirSync(join(dead, 'fs/deep'), { recursive: true })
      await open()[Symbol.asyncDispose]()
      assert.equal(fs.existsSync(dead), false)
    },
  },
  {
    name: 'leaves no mount and no temporary file behind',
    async run({ open, directory }) {
      const s = open()
      await layer(s, [], 'a', base)
      await layer(s, ['a'], 'b', sh('touch b'))
      const active = await s.prepare(['a', 'b'])
      fs.writeFileSync(join(active.root, 'left'), '')
      await s.view(['a', 'b'])
      await s[Symbol.asyncDispose]()
      assert.deepEqual(fs.readdirSync(directory).sort(), ['.boot', 'a', 'b'])
      assert.ok(!fs.readFileSync('/proc/self/mountinfo', 'utf8').includes(directory))
    },
  },
  {
    name: 'keeps exact names, links, times and attributes across layers',
    async run({ open }) {
      await using s = open()
      const write: Write = (root) => {
        sh(
          'mkdir d; echo x > d/a; ln d/a d/b; mkfifo d/p; chmod 6755 d/a; setfattr -n user.n -v v d/a; ln -s nowhere d/l',
        )(root)
        fs.writeFileSync(fsPath(`${root}/d/\udcfe`), 'raw')
        fs.utimesSync(join(root, 'd/a'), OLD, OLD)
      }
      await layer(s, [], 'a', write)
      await layer(s, ['a'], 'b', sh('touch other'))
      await using view = await s.view(['a', 'b'])
      const a = fs.lstatSync(join(view.root, 'd/a'))
      assert.deepEqual([a.ino, a.nlink, a.mtimeMs], [fs.lstatSync(join(view.root, 'd/b')).ino, 2, OLD.getTime()])
      assert.equal((a.mode & 0o7777).toString(8), '6755')
      assert.equal(
        execFileSync('getfattr', ['-n', 'user.n', '--only-values', 'd/a'], { cwd: view.root }).toString(),
        'v',
      )
      assert.equal(fs.readFileSync(fsPath(`${view.root}/d/\udcfe`), 'utf8'), 'raw')
      assert.equal(fs.readlinkSync(join(view.root, 'd/l')), 'nowhere')
    },
  },
]

/** All cases; each gets a fresh directory. */
export const snapshotterContract: readonly ContractCase[] = [
  ...lifeCases,
  ...damageCases,
  ...mountPointCases,
  ...timesCases,
  ...changeCases,
]

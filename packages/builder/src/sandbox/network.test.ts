import { describe, expect, it } from 'vitest'
import { hostsFile, resolvConf } from './network.ts'

describe('/etc/hosts', () => {
  it('has the loopback names, the host name and what was added', () => {
    const text = hostsFile('box', [
      { host: 'db', ip: '10.0.0.5' },
      { host: 'six.example.com', ip: 'fd00::1' },
    ])
    expect(text.split('\n')).toEqual(
      expect.arrayContaining(['127.0.0.1\tlocalhost', '127.0.0.1\tbox', '10.0.0.5\tdb', 'fd00::1\tsix.example.com']),
    )
  })

  it.each([
    ['a\n6.6.6.6 evil', '1.2.3.4'],
    ['a', '1.2.3.4\n6.6.6.6 evil'],
    ['a b', '1.2.3.4'],
    ['', '1.2.3.4'],
    ['a', 'nonsense'],
    ['a', ''],
    ['-a', '1.2.3.4'],
    ['x'.repeat(254), '1.2.3.4'],
    ['a#', '1.2.3.4'],
  ])('refuses %j %j', (host, ip) => {
    expect(() => hostsFile('box', [{ host, ip }])).toThrow(expect.objectContaining({ code: 'RUN_BAD_HOST' }))
  })
})

describe('/etc/resolv.conf', () => {
  const machine =
    '# made by x\nnameserver 127.0.0.1\nnameserver 10.0.0.53\nnameserver ::1\nsearch example.com\noptions ndots:2\n'

  it('is the machine’s where its loopback is shared', () => {
    expect(resolvConf(machine, { dns: [], sharesLoopback: true })).toBe(
      'nameserver 127.0.0.1\nnameserver 10.0.0.53\nnameserver ::1\n# made by x\nsearch example.com\noptions ndots:2\n',
    )
  })

  it('leaves out what cannot be reached', () => {
    expect(resolvConf(machine, { dns: [], sharesLoopback: false })).toBe(
      'nameserver 10.0.0.53\n# made by x\nsearch example.com\noptions ndots:2\n',
    )
    expect(resolvConf('nameserver 127.0.0.53\n', { dns: [], sharesLoopback: false })).toContain('nameserver 8.8.8.8')
    expect(resolvConf('', { dns: [], sharesLoopback: true })).toContain('nameserver 8.8.8.8')
  })

  it('has the name servers asked for in place of others', () => {
    expect(resolvConf(machine, { dns: ['9.9.9.9', 'fd00::53'], sharesLoopback: true })).toMatch(
      /^nameserver 9\.9\.9\.9\nnameserver fd00::53\n# made by x\nsearch/,
    )
    expect(() => resolvConf(machine, { dns: ['9.9.9.9\nsearch evil'], sharesLoopback: true })).toThrow(
      'invalid name server',
    )
  })
})

import { describe, expect, it } from 'vitest'
import type { ImageConfig } from '../graph/image-config.ts'
import { completeConfig, isoTime, serializeConfig } from './config.ts'

const image = (history: ImageConfig['history'] = []): ImageConfig => ({
  architecture: 'amd64',
  os: 'linux',
  rootfs: { type: 'layers', diff_ids: [] },
  history,
})
const at = (seconds: number) => isoTime(seconds * 1000)
const times = { layers: [], build: undefined, output: undefined, now: 9_000_000 }

describe('times of an image', () => {
  const history = [
    { created: at(100), created_by: 'base' },
    { created_by: 'ENV', empty_layer: true },
    { created_by: 'RUN' },
    { created_by: 'CMD', empty_layer: true },
  ]

  it("gives entries their layer's time, and those without a layer the time before", () => {
    const done = completeConfig(image(history), ['a', 'b'], { ...times, layers: [undefined, 500_000] }, [])
    expect(done.history?.map((h) => h.created)).toEqual([at(100), at(500), at(500), at(500)])
    expect(done.created).toBe(at(500))
  })

  it('sets every new entry to SOURCE_DATE_EPOCH, and moves nothing of the base that is older', () => {
    const done = completeConfig(
      image(history),
      ['a', 'b'],
      { ...times, layers: [undefined, 500_000], build: 300_000, output: 300_000 },
      [],
    )
    expect(done.history?.map((h) => h.created)).toEqual([at(100), at(300), at(300), at(300)])
    expect(done.created).toBe(at(300))
  })

  it("keeps the build's time where the output takes SOURCE_DATE_EPOCH away", () => {
    const done = completeConfig(
      image([{ created_by: 'COPY' }]),
      ['a'],
      { ...times, layers: [500_000], build: 300_000 },
      [],
    )
    expect(done.created).toBe(at(300))
  })

  it('uses the clock for an image of nothing', () => {
    expect(completeConfig(image(), [], times, []).created).toBe(at(9000))
  })

  it('tells of layers that no instruction made', () => {
    const done = completeConfig(image([{ created_by: 'RUN' }]), ['a', 'b'], { ...times, layers: [1, 2] }, [
      'first',
      'second',
    ])
    expect(done.history?.map((h) => h.created_by)).toEqual(['RUN', 'second'])
  })

  it.each([
    [0, '1970-01-01T00:00:00Z'],
    [1_700_000_000_120, '2023-11-14T22:13:20.12Z'],
    [1_700_000_000_001, '2023-11-14T22:13:20.001Z'],
  ])('prints %i as Go does', (milliseconds, text) => expect(isoTime(milliseconds)).toBe(text))
})

it('writes keys in a fixed order, whatever order they came in', () => {
  const a = serializeConfig({ ...image(), config: { Labels: { b: '2', a: '1' }, Env: ['x=1'], User: 'me' } })
  const b = serializeConfig({ config: { User: 'me', Env: ['x=1'], Labels: { a: '1', b: '2' } }, ...image() })
  expect(a.equals(b)).toBe(true)
  expect(a.toString()).toBe(
    '{"architecture":"amd64","config":{"User":"me","Env":["x=1"],"Labels":{"a":"1","b":"2"}},"history":[],"os":"linux","rootfs":{"type":"layers","diff_ids":[]}}',
  )
})

it('leaves out what is empty, as the reference does', () => {
  const bytes = serializeConfig({
    ...image([{ created_by: 'x', author: '', empty_layer: false }]),
    author: '',
    'os.features': [],
    config: {
      User: '',
      ExposedPorts: {},
      Env: [],
      Entrypoint: [],
      Cmd: null,
      Volumes: {},
      WorkingDir: '',
      Labels: { empty: '' },
      StopSignal: '',
      ArgsEscaped: false,
      OnBuild: null,
      Shell: [],
    },
  })
  expect(JSON.parse(bytes.toString())).toEqual({
    architecture: 'amd64',
    config: { Labels: { empty: '' } },
    history: [{ created_by: 'x' }],
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [] },
  })
})

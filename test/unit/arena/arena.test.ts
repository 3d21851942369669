/**
 * The front door: arenas are made, joined and left; a handle survives every way of being sent; and
 * who has left, or asks for what must not be, is refused in the name of what he called, with nothing
 * changed.
 */

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { beforeEach, describe, expect, it } from 'vitest'
import { Arena, type Handle, Misuse, type Smr } from '#src/index.ts'
import { checkPages } from '#src/space/pages.ts'
import { built } from '../../helpers/built.ts'
import { pair } from '../../helpers/company.ts'
import {
  differences,
  exhausted,
  misuse,
  rejected,
  unchanged,
  wild,
} from '../../helpers/refusals.ts'
import type { Answer, Brief } from './arena.worker.ts'

const BYTES = 2 ** 18

let a: Arena
let b: Arena

beforeEach(() => {
  ;[a, b] = pair()
})

it.each<[string, () => unknown]>([
  ['bytes of null', () => Arena.create({ bytes: wild(null) })],
  ['maxWorkers of null', () => Arena.create({ bytes: 2 ** 18, maxWorkers: wild(null) })],
  ['an array of options', () => Arena.create(wild([]))],
  [
    'an array of options to wait with',
    () =>
      Arena.create({ bytes: 2 ** 18 })
        .smr('d')
        .synchronize(wild([])),
  ],
])('%s is refused, and not taken for nothing', (_, verb) => {
  expect(misuse(verb).message).toMatch(/null|Array/)
})

it('handles of what is gone are let go of, and what is made of them refuses by itself', () => {
  const arena = Arena.create({ bytes: 2 ** 20 })
  const other = Arena.attach(arena.handle)
  const first = arena.zone('first', { bytes: 8 })
  const kept = arena.smr('kept')
  for (let n = 0; n < 400; n++) {
    const smr = arena.smr(`domain ${n}`)
    const zone = arena.zone(`zone ${n}`, { smr, bytes: 8 })
    // By another worker now and then: then this one is not told.
    const ends = n % 3 === 0 ? other : arena
    ends.zone(zone.name).destroy()
    ends.smr(smr.name).destroy()
  }
  const maps = arena as unknown as { zones: Map<string, unknown>; domains: Map<string, unknown> }
  expect(maps.zones.size).toBeLessThan(200)
  expect(maps.domains.size).toBeLessThan(200)
  expect([arena.zone('first'), arena.smr('kept')]).toEqual([first, kept])
})

describe('create and attach', () => {
  it('two attachments are two workers over the same memory', () => {
    expect([a.workerId, b.workerId]).toEqual([0, 1])
    expect(b.buffer).toBe(a.buffer)
    expect(b.handle).toBe(a.handle)
    a.words[1000] = 7
    expect(b.words[1000]).toBe(7)
    b.floats[2000] = 0.5
    expect(a.floats[2000]).toBe(0.5)
    expect([a.words.length, a.floats.length]).toEqual([BYTES / 4, BYTES / 8])
  })

  it('refuse by their own names', () => {
    expect(misuse(() => Arena.create({ bytes: -1 })).message).toMatch(/^Arena\.create: bytes is -1/)
    expect(misuse(() => Arena.attach(wild({ buffer: a.buffer }))).message).toMatch(
      /^Arena\.attach: Object is not an arena's handle/,
    )
    Arena.attach(a.handle)
    Arena.attach(a.handle)
    const error = unchanged(a, () => misuse(() => Arena.attach(a.handle)))
    expect(error.message).toMatch(/^Arena\.attach: all 4 worker slots are taken/)
  })

  it('two arenas do not share anything', () => {
    const other = Arena.create({ bytes: BYTES, maxWorkers: 2 })
    a.zone('z', { bytes: 8 }).zalloc()
    expect(other.stats().zones).toEqual([])
    expect(misuse(() => other.zone('z')).message).toMatch(/no such zone yet/)
  })

  it('work over memory full of garbage: everything is written before it is read', () => {
    const buffer = new SharedArrayBuffer(BYTES)
    for (const fill of [-1, 0x7fffffff, 12_345]) {
      new Int32Array(buffer).fill(fill)
      const arena = Arena.create({ buffer, maxWorkers: 2, checks: true })
      const smr = arena.smr('d')
      const zone = arena.zone('z', { bytes: 24, bucket: 3, smr })
      const plain = arena.zone('p', { bytes: 100, bucket: 2 })
      const items = Array.from({ length: 40 }, () => zone.zallocSmr())
      const others = Array.from({ length: 10 }, () => plain.zalloc())
      expect(arena.lock('l').tryLock()).toBe('ok')
      for (const item of items) zone.zfreeSmr(item)
      for (const item of others) plain.zfree(item)
      zone.check()
      plain.check()
      expect(smr.synchronize({ timeoutMs: 1000 })).toBe(true)
      expect(zone.stats()).toMatchObject({ live: 0, allocs: 40, frees: 40 })
      zone.destroy()
      plain.destroy()
      smr.destroy()
      checkPages(arena.memory, arena.space.pages)
      new Int32Array(buffer).fill(0)
    }
  })
})

describe('the handle', () => {
  const brief = (arena: Arena): Brief => {
    const smr = arena.smr('domain')
    const item = arena.zone('zone', { bytes: 8, smr }).zallocSmr()
    arena.words[item] = 41
    return { handle: arena.handle, item }
  }

  function heard(arena: Arena, answer: Answer): void {
    expect(answer).toMatchObject({ workerId: 1, bytes: arena.buffer.byteLength, seen: 41 })
    expect(answer.attached).toEqual([0, 1])
    expect(arena.words[answer.item]).toBe(42)
    expect(arena.zone('zone').owns(answer.item)).toBe(true)
    expect(arena.stats().workers.attached).toEqual([0])
  }

  const kinds: [string, () => Arena][] = [
    ['a WebAssembly.Memory', () => Arena.create({ bytes: BYTES, maxWorkers: 2 })],
    [
      'a SharedArrayBuffer',
      () => Arena.create({ buffer: new SharedArrayBuffer(BYTES), maxWorkers: 2 }),
    ],
  ]

  it.each(kinds)('over %s survives structuredClone', (_, make) => {
    const arena = make()
    const joined = Arena.attach(structuredClone(arena.handle))
    expect(joined.workerId).toBe(1)
    arena.words[5000] = 9
    expect(joined.words[5000]).toBe(9)
    expect(Object.keys(joined.handle)).toEqual(Object.keys(arena.handle))
  })

  it.each(kinds)(
    'over %s leads a real thread into the same arena, by workerData',
    async (_, make) => {
      const arena = make()
      const worker = new Worker(built('unit/arena/arena.worker.ts'), { workerData: brief(arena) })
      const [answer] = (await once(worker, 'message')) as [Answer]
      heard(arena, answer)
      await worker.terminate()
    },
  )

  it.each(kinds)('over %s does so by postMessage', async (_, make) => {
    const arena = make()
    const worker = new Worker(built('unit/arena/arena.worker.ts'), { workerData: null })
    worker.postMessage(brief(arena))
    const [answer] = (await once(worker, 'message')) as [Answer]
    heard(arena, answer)
    await worker.terminate()
  })
})

describe('what it gives out', () => {
  it('is the same handle for the same name, and another worker’s own', () => {
    const smr = a.smr('d')
    const zone = a.zone('z', { bytes: 8, smr })
    const lock = a.lock('l')
    expect(a.zone('z') === zone).toBe(true)
    expect(a.smr('d') === smr).toBe(true)
    expect(a.zone('z', { bytes: 8, smr }) === zone).toBe(true)
    expect(a.lock('l') === lock).toBe(true)
    expect(b.smr('d') === smr).toBe(false)
    expect(b.smr('d').serial).toBe(smr.serial)
    expect(b.zone('z') === zone).toBe(false)
    expect(a.smr('e') === smr).toBe(false)
  })

  it('a root is one word for all who know its name, 0 at first, and lasts', () => {
    const at = a.root('head')
    expect(a.words[at]).toBe(0)
    expect(b.root('head')).toBe(at)
    a.words[at] = 4711
    expect([a.root('head'), b.words[b.root('head')]]).toEqual([at, 4711])
    expect(a.root('tail')).not.toBe(at)
    expect(a.lock('head').tryLock()).toBe('ok')
    expect(a.words[at]).toBe(4711)
  })

  it('a zone opened without its domain gets that very domain, not a namesake', () => {
    const names = ['d', '\ufeffd', 'D']
    names.forEach((name, i) => {
      a.zone(`z${i}`, { bytes: 8, smr: a.smr(name) })
    })
    names.forEach((name, i) => {
      const zone = b.zone(`z${i}`)
      const domain = a.smr(name)
      const held = a.zone(`z${i}`).zallocSmr()
      b.smr(name).enter()
      expect(misuse(() => zone.zfreeSmr(held)).message).toMatch(/a section of domain/)
      b.smr(name).exit()
      expect(b.smr(name).address).toBe(domain.address)
    })
    expect(a.stats().domains.map((each) => each.name)).toEqual(names)
  })

  it('a destroyed domain’s namesake is new, and the old handle is closed', () => {
    const old = a.smr('d')
    const theirs = b.smr('d')
    old.destroy()
    const next = a.smr('d')
    expect(next === old).toBe(false)
    expect(next.serial).not.toBe(old.serial)
    misuse(() => old.enter())
    expect(b.smr('d') === theirs).toBe(false)
    misuse(() => theirs.enter())
  })

  it.each<[string, (name: never) => unknown]>([
    ['arena.smr', (name) => a.smr(name)],
    ['arena.zone', (name) => a.zone(name, { bytes: 8 })],
    ['arena.lock', (name) => a.lock(name)],
    ['arena.root', (name) => a.root(name)],
  ])('%s refuses what is no name, and changes nothing', (call, open) => {
    unchanged(a, () => {
      for (const name of ['', 'x'.repeat(65), '\udfff', 5, null, undefined, {}]) {
        expect(misuse(() => open(wild(name))).message).toMatch(
          new RegExp(
            `^${call.replace('.', '\\.')}: the name is .*; give a string of 1 to 64 bytes`,
          ),
        )
      }
    })
  })

  it('unknown, absurd and differing options of a domain change nothing', () => {
    a.smr('d')
    unchanged(a, () => {
      for (const options of [
        { clocks: 'default' },
        { clock: 'cuckoo' },
        { clock: 1 },
        { limit: 8 },
        { clock: 'lazy', limit: 8 },
        { clock: 'deferred', tickMs: 1 },
        { sections: null },
        null,
        5,
      ]) {
        expect(misuse(() => a.smr('d', wild(options))).message).toMatch(/^arena\.smr: /)
        expect(misuse(() => b.smr('new', wild(options))).message).toMatch(/^arena\.smr: /)
      }
    })
    expect(a.stats().domains.map((each) => each.name)).toEqual(['d'])
  })

  it('a domain for which there are no pages is Exhausted, and its name stays free', () => {
    const { pages } = a.space
    const taken: number[] = []
    for (let at = pages.reserve(1); at !== 0; at = pages.reserve(1)) taken.push(at)
    expect(exhausted(() => a.smr('d')).message).toMatch(
      /^arena\.smr: no memory for domain "d"; [\d,]+ bytes are wanted in one piece, 0 are free/,
    )
    expect(a.stats().domains).toEqual([])
    pages.release(taken[0] as number)
    expect(a.smr('d').poll(a.smr('d').advance())).toBe(true)
  })
})

describe('detach', () => {
  it('frees the slot for the next', () => {
    expect(a.stats().workers).toEqual({ max: 4, attached: [0, 1] })
    b.detach()
    expect(a.stats().workers.attached).toEqual([0])
    // The same slot under another name: what was said of the worker before is not said of this one.
    const next = Arena.attach(a.handle)
    expect(next.space.slot).toBe(1)
    expect(next.workerId).not.toBe(b.workerId)
  })

  it('a late word about a worker that is gone does nothing to its successor', () => {
    b.detach()
    const next = Arena.attach(a.handle)
    next.smr('d').enter()
    expect(a.reap(b.workerId)).toMatchObject({ reaped: false, workerId: b.workerId })
    expect(next.smr('d').entered).toBe(true)
    expect(a.stats().workers.attached).toEqual([a.workerId, next.workerId])
    expect(a.smr('d').synchronize({ timeoutMs: 0 })).toBe(false)
    next.smr('d').exit()
  })

  it('gives what the worker had cached to the others', () => {
    const smr = a.smr('d')
    const zone = a.zone('z', { bytes: 8, bucket: 4, smr })
    const theirs = b.zone('z')
    const items = Array.from({ length: 6 }, () => theirs.zallocSmr())
    theirs.zfreeSmr(items[0] as (typeof items)[0])
    b.detach()
    expect(zone.stats()).toMatchObject({ live: 5, cached: 0, pending: 1, allocs: 6, frees: 1 })
    zone.check()
  })

  it('is refused inside a section, and works after it', () => {
    const smr = a.smr('d')
    smr.enter()
    const error = unchanged(a, () => misuse(() => a.detach()))
    expect(error.message).toBe('arena.detach: a section of domain "d" is open; exit first')
    expect(smr.entered).toBe(true)
    expect(a.stats().workers.attached).toEqual([0, 1])
    smr.exit()
    a.detach()
    expect(b.stats().workers.attached).toEqual([1])
  })

  it('is refused with a lock held, and works after it', () => {
    const lock = a.lock('l')
    lock.lock()
    const error = unchanged(a, () => misuse(() => a.detach()))
    expect(error.message).toBe('arena.detach: lock "l" is held; unlock it first')
    expect(lock.held).toBe(true)
    lock.unlock()
    a.detach()
    expect(b.lock('l').tryLock()).toBe('ok')
  })

  it('minds neither the sections nor the locks of others', () => {
    b.smr('d').enter()
    b.lock('l').lock()
    a.smr('d')
    a.lock('l')
    a.detach()
    expect([b.smr('d').entered, b.lock('l').held]).toEqual([true, true])
  })

  it('of a worker leaves no section word behind', () => {
    const theirs = b.smr('d')
    theirs.read(() => 1)
    b.detach()
    const smr = a.smr('d')
    expect(smr.poll(smr.advance())).toBe(true)
  })
})

describe('after detach', () => {
  let smr: Smr
  let goal: never

  beforeEach(() => {
    smr = b.smr('d')
    goal = smr.advance() as never
  })

  it('every verb of the arena refuses in its own name', () => {
    b.detach()
    const verbs: [string, () => unknown][] = [
      ['arena.smr', () => b.smr('d')],
      ['arena.zone', () => b.zone('z')],
      ['arena.lock', () => b.lock('l')],
      ['arena.root', () => b.root('r')],
      ['arena.stats', () => b.stats()],
      ['arena.detach', () => b.detach()],
      ['arena.reap', () => b.reap(a.workerId)],
      ['arena.supervise', () => b.supervise(wild({ threadId: 1, once: () => {} }))],
    ]
    unchanged(a, () => {
      for (const [call, act] of verbs) {
        expect(misuse(act).message).toBe(`${call}: this arena handle was detached; attach again`)
      }
    })
  })

  it('every verb of a domain refuses in its own name', async () => {
    b.detach()
    const verbs: [string, () => unknown][] = [
      ['enter', () => smr.enter()],
      ['exit', () => smr.exit()],
      ['enter', () => smr.read(() => 1)],
      ['assertEntered', () => smr.assertEntered()],
      ['advance', () => smr.advance()],
      ['poll', () => smr.poll(goal)],
      ['wait', () => smr.wait(goal)],
      ['synchronize', () => smr.synchronize()],
      ['stalled', () => smr.stalled(0)],
      ['stats', () => smr.stats()],
      ['destroy', () => smr.destroy()],
    ]
    const before = a.words.slice()
    for (const [verb, act] of verbs) {
      expect(misuse(act).message.startsWith(`smr.${verb}: domain "d": `), verb).toBe(true)
    }
    for (const verb of ['waitAsync', 'synchronizeAsync'] as const) {
      const error = await rejected(Misuse, smr[verb](goal))
      expect(error.message.startsWith(`smr.${verb}: domain "d": `), verb).toBe(true)
    }
    expect(smr.entered).toBe(false)
    expect(differences(before, a.words)).toEqual([])
  })

  it('a wait that was under way ends', async () => {
    a.smr('d').enter()
    const wait = smr.synchronizeAsync({ timeoutMs: 10_000 })
    await Promise.resolve()
    b.detach()
    const before = a.words.slice()
    expect((await rejected(Misuse, wait)).message).toMatch(/^smr\.synchronizeAsync: .*closed/)
    expect(differences(before, a.words)).toEqual([])
  })
})

it('a handle is plain data: nothing of the attachment that it came from', () => {
  const handle: Handle = a.handle
  expect(Object.keys(handle).sort()).toEqual(['buffer', 'memory', 'umaSmr'])
})

/**
 * All that is public, called with all that is absurd: functions, classes, handles, queues, schemas and
 * dialects are found by reflection, so what is exported tomorrow is called too.
 *
 * Each call must end in a result or in an error of ours. What an argument itself throws - a getter, a
 * proxy, a hook - is its own business and may come through. Afterwards no section and no lock of the
 * library's may be left, and the zones must obey their law.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as freebsd from '#src/dialects/freebsd.ts'
import * as netbsd from '#src/dialects/netbsd.ts'
import * as openbsd from '#src/dialects/openbsd.ts'
import * as xnu from '#src/dialects/xnu.ts'
import * as root from '#src/index.ts'
import { Arena, HashTable, type Item, UmaSmrError, type Zone } from '#src/index.ts'
import type { Random } from '../helpers/random.ts'

/** What an argument throws by itself. */
export class Own extends Error {}

/** Something to call: a function, and what it is called on. */
export interface Target {
  readonly name: string
  call(args: readonly unknown[]): unknown
}

interface Handles extends Readonly<Record<string, object>> {
  readonly smr: root.Smr
  readonly sleepable: root.Smr
  readonly lock: root.Lock
}

/** One worker's handles of every sort, of a fresh arena. */
export interface Stage {
  readonly arena: Arena
  readonly zones: readonly Zone[]
  /** Every handle by its name. */
  readonly handles: Handles
  /** Legal arguments of every sort. */
  readonly legal: readonly unknown[]
}

const { record, u32, i32, f32, f64, bool, i64, bytes, utf8, ref } = root
const Person = record({ id: u32, name: utf8(12), raw: bytes(5), next: ref, ok: bool })
const All = record({ a: u32, b: i32, c: f32, d: f64, e: bool, f: i64, g: bytes(300), h: utf8(300) })

export function stage(): Stage {
  const arena = Arena.create({ bytes: 2 ** 18, maxWorkers: 4, checks: true })
  const other = Arena.create({ bytes: 2 ** 16, maxWorkers: 2 })
  hurry(arena)
  hurry(other)
  const quiet = { sealAfterMs: 0, trimEveryMs: 0 }
  const smr = arena.smr('readers')
  const sleepable = arena.smr('sleepers', { sleepable: true, sections: 'turn' })
  const nodes = arena.zone('nodes', { smr, bytes: 64, bucket: 4, ...quiet })
  const plain = arena.zone('plain', { bytes: 40, ...quiet })
  const people = HashTable.create(arena, 'people', {
    record: Person,
    key: 'id',
    capacity: 16,
    ...quiet,
  })
  const texts = HashTable.create(arena, 'texts', {
    record: Person,
    key: 'name',
    capacity: 16,
    ...quiet,
  })
  const [head, link] = [plain.zalloc(), 2]
  const tailq = new root.SmrTailQ(arena, { head, link })
  const stailq = new root.SmrStailQ(arena, { head: head + 2, link })
  const list = new root.SmrList(arena, { head: head + 4, link })
  const slist = new root.SmrSList(arena, { head: head + 5, link })
  for (const queue of [tailq, stailq, list, slist]) queue.init()
  const items = Array.from({ length: 8 }, () => nodes.zallocSmr())
  tailq.insertHead(items[0] as Item)
  slist.insertHead(items[1] as Item)
  people.set({ id: 7, name: 'seven', raw: new Uint8Array(3), next: 0 as Item, ok: true })
  const lock = arena.lock('lock')
  const pointer = root.pointer(arena, arena.root('root'))
  const tracker = sleepable.enterSleepable('fuzz')
  const uma = freebsd.uma_zcreate(arena, 'uma', 32, null, null, null, null, 7, freebsd.UMA_ZONE_SMR)
  const pool = netbsd.pool_cache_init(arena, 32, 0, 0, 0, 'pool', null, 0, null, null, null)
  const zonet = xnu.zone_create(arena, 'zonet', 48, quiet)
  const kernel = openbsd.smr_startup(arena)
  const entry = new openbsd.smr_entry()
  const handles = {
    arena,
    smr,
    sleepable,
    nodes,
    plain,
    people,
    texts,
    tailq,
    stailq,
    list,
    slist,
    lock,
    pointer,
    tracker,
    kernel,
    cursor: tailq.iterate(),
    Person,
    All,
    'Person.get': Person.get,
    'Person.set': Person.set,
    'All.get': All.get,
    'All.set': All.set,
  }
  const goal = smr.advance()
  const legal = [
    ...Object.values(handles),
    ...[uma, pool, zonet, entry, other, other.smr('readers'), other.zone('z', { bytes: 8 })],
    ...[
      arena.handle,
      goal,
      ...items,
      head,
      0,
      1,
      2,
      7,
      'readers',
      'nodes',
      'people',
      'new',
      'drain',
    ],
    ...[() => undefined, () => 1, async () => 1, { timeoutMs: 1 }, {}, [], [7], [items[7]], 'name'],
    { id: 3, name: 'x', raw: new Uint8Array(2), next: 0, ok: false },
    { record: Person, key: 'id', capacity: 8 },
    { record: Person, key: 'name' },
    ...[{ bytes: 16, ...quiet }, { smr, bytes: 16, ...quiet }, { bytes: 2 ** 15 }, undefined, true],
  ]
  return { arena, zones: [nodes, plain, people.zone, texts.zone], handles, legal }
}

/** No wait lasts here: each look at the clock finds it further on. */
function hurry({ memory }: Arena): void {
  let now = 1e6
  const sleep = (ms: number): void => {
    now += ms
  }
  const clock = (): number => {
    now += 200
    return now
  }
  Object.assign(memory, { now: clock, sleep, pause: () => {} })
  Object.assign(memory, { wait: (_at: number, _value: number, ms: number) => sleep(ms) })
}

// ---- what is called --------------------------------------------------------------------------

/** The constructors of all other classes are internal, or of errors. */
const MADE_BY_USERS = /^(?:Smr(?:S?List|S?TailQ|StailQ)|smrq_\w+|smr_entry|smr_tracker)$/

/** Of no use outside, or with an effect on the whole process. */
const LEFT_OUT =
  /\.(?:constructor|take|store|bind|memory|space|parts|links|undo|giveBackRaw|giveHeldBack|holdRaw|zfreeSmrAgain)$/

const MODULES = { root, freebsd, netbsd, openbsd, xnu }

/** Everything public that can be called on this stage. */
export function targets({ handles }: Stage): Target[] {
  const all: Target[] = []
  for (const [module, exported] of Object.entries(MODULES)) {
    for (const [name, value] of Object.entries(exported)) {
      if (typeof value !== 'function') continue
      const full = `${module}.${name}`
      if (isClass(value)) {
        if (MADE_BY_USERS.test(name))
          all.push({ name: `new ${full}`, call: (args) => Reflect.construct(value, [...args]) })
        for (const key of Object.getOwnPropertyNames(value)) add(all, `${full}.${key}`, value, key)
      } else all.push({ name: full, call: (args) => Reflect.apply(value, undefined, [...args]) })
    }
  }
  for (const [name, handle] of Object.entries(handles)) {
    for (const key of keysOf(handle)) add(all, `${name}.${String(key)}`, handle, key)
  }
  for (const type of [u32, i32, f32, f64, bool, i64, ref, utf8(9), bytes(9)]) {
    add(all, `${type.name}.accepts`, type, 'accepts')
  }
  return all.filter(({ name }) => !LEFT_OUT.test(name))
}

function add(all: Target[], name: string, on: object, key: PropertyKey): void {
  const own = findProperty(on, key)
  if (own === undefined) return
  if (own.get !== undefined) all.push({ name, call: () => Reflect.get(on, key) })
  else if (typeof own.value === 'function') {
    all.push({ name, call: (args) => Reflect.apply(own.value, on, [...args]) })
  }
}

function findProperty(on: object, key: PropertyKey): PropertyDescriptor | undefined {
  for (let at: object | null = on; at !== null; at = Object.getPrototypeOf(at)) {
    const own = Object.getOwnPropertyDescriptor(at, key)
    if (own !== undefined) return own
  }
  return undefined
}

const NO_VERBS = new Set(['constructor', 'length', 'name', 'prototype'])

/** Public members: those of a class as it is declared to its users, and all of anything else. */
function keysOf(handle: object): PropertyKey[] {
  const keys = new Set<string>()
  for (let at: object | null = handle; at !== null; at = Object.getPrototypeOf(at)) {
    if (at === Object.prototype) break
    const declared = DECLARED.get(at === handle ? '' : at.constructor.name)
    for (const key of declared ?? Object.getOwnPropertyNames(at)) keys.add(key)
  }
  return [...keys].filter((key) => !NO_VERBS.has(key) && findProperty(handle, key) !== undefined)
}

const INTERNAL = /\/\*\*(?:(?!\*\/)[\s\S])*@internal(?:(?!\*\/)[\s\S])*\*\/\s*[^\n]*/g
const CLASS = /class (\w+)[^{]*\{\n([\s\S]*?)\n\}/g
const MEMBER = /^ {4}(?:static |readonly |abstract |get |set )*(\w+)[?<(:]/gm

/** What each class of dist/ declares, without what is private or internal. */
const DECLARED: ReadonlyMap<string, readonly string[]> = readDeclarations()

function readDeclarations(): Map<string, string[]> {
  const dist = fileURLToPath(new URL('../../dist/', import.meta.url))
  const all = new Map<string, string[]>()
  for (const file of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.d.ts')) continue
    const text = readFileSync(join(dist, file), 'utf8')
    for (const [, name = '', body = ''] of text.replace(INTERNAL, '').matchAll(CLASS)) {
      const members = [...body.matchAll(MEMBER)].map(([, member = '']) => member)
      all.set(name, members)
    }
  }
  return all
}

function isClass(value: object): boolean {
  return /^class\b/.test(Function.prototype.toString.call(value))
}

// ---- what it is called with ------------------------------------------------------------------

const thenable = (): object => Object.fromEntries([['then', thrower]])

/** A verb such as `forEach` may drop what the caller's function returns: that is the caller's to catch. */
function rejecter(): Promise<never> {
  const rejected = Promise.reject(new Own('rejected by an argument'))
  rejected.catch(() => {})
  return rejected
}

function thrower(): never {
  throw new Own('thrown by an argument')
}

class Lying extends Uint8Array {
  override subarray(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(4000).fill(0xee)
  }
  override get length(): number {
    return 2
  }
}

/** Values that nobody passes on purpose. Made anew for each call: some can be used once. */
export function nasty(random: Random): unknown {
  const makers: readonly (() => unknown)[] = [
    () => undefined,
    () => null,
    () => Symbol('s'),
    () => Symbol.iterator,
    () => revoked({}),
    () => revoked([]),
    () => revoked(() => {}),
    () => new Proxy({}, { get: thrower, has: thrower, ownKeys: thrower, getPrototypeOf: thrower }),
    () => new Proxy(() => {}, { apply: thrower, get: thrower }),
    () => 5n,
    () => 2n ** 70n,
    () => Number.NaN,
    () => -0,
    () => -1,
    () => 0.5,
    () => 2 ** 31,
    () => 2 ** 32 - 1,
    () => 2 ** 53,
    () => 1e308,
    () => Number.POSITIVE_INFINITY,
    () => Number.NEGATIVE_INFINITY,
    () => random.next() | 0,
    () => '\ud800',
    () => 'a\udc00b',
    () => '',
    () => 'x'.repeat(5000),
    () => '__proto__',
    () => '\0',
    () => true,
    () => false,
    () => () => {},
    () => thrower,
    () => rejecter,
    () => () => Symbol('result'),
    () => thenable(),
    () => thenable,
    () => class {},
    () => new Array(3),
    () => Object.assign(new Array(4), { 1: 1, 3: 2 }),
    () => [Symbol('x'), 1n],
    () => new Array(1000).fill(1),
    () => ({
      get length() {
        return thrower()
      },
    }),
    () => ({
      get timeoutMs() {
        return thrower()
      },
    }),
    () => ({ timeoutMs: [] }),
    () => ({ timeoutMs: '1' }),
    () => ({ timeoutMs: -1 }),
    () => ({ timeoutMs: null }),
    () => ({ bytes: null }),
    () => ({ signal: null }),
    () => ({ [Symbol.iterator]: thrower }),
    () => ({
      *[Symbol.iterator]() {
        yield Symbol('item')
        yield {}
      },
    }),
    () => ({ toString: thrower, valueOf: thrower }),
    () => ({ [Symbol.toPrimitive]: thrower }),
    () => ({
      get constructor() {
        return thrower()
      },
    }),
    () => ({ constructor: { name: Symbol('name') } }),
    () => Object.create(null),
    () => Object.freeze({ memory: {} }),
    () => ({ memory: null, space: null }),
    () => ({ space: {}, memory: { words: [] } }),
    () => new Lying(3),
    () => new Uint8Array(70_000),
    () => new Uint8Array(new SharedArrayBuffer(8)),
    () => detached(),
    () => new Float64Array(2),
    () => new DataView(new ArrayBuffer(8)),
    () => new SharedArrayBuffer(8),
    () => new Date(Number.NaN),
    () => /x/g,
    () => new Map(),
    () => new WeakRef({}),
    () => Promise.resolve(1),
    () => new Error('an error'),
    () => globalThis,
    () => ({ id: Symbol('id'), name: 1n, raw: null, next: {}, ok: 0 }),
    () => ({
      record: { fields: [null], signature: Symbol('x'), words: -1 },
      key: 'id',
      capacity: 1,
    }),
    () => ({ smr: {}, bytes: 16 }),
    () => ({ buffer: new SharedArrayBuffer(4096), umaSmr: Symbol('version') }),
    () => ({ buffer: new SharedArrayBuffer(4096), memory: null }),
    () => ({ head: Symbol('head'), link: 1n }),
  ]
  return (makers[random.below(makers.length)] as () => unknown)()
}

function revoked<T extends object>(target: T): T {
  const { proxy, revoke } = Proxy.revocable(target, {})
  revoke()
  return proxy
}

function detached(): Uint8Array {
  const view = new Uint8Array(8)
  structuredClone(view.buffer, { transfer: [view.buffer] })
  return view
}

// ---- what may come of it ---------------------------------------------------------------------

/** Whether an error may come out of the library. */
export function isLegal(error: unknown): boolean {
  if (error instanceof UmaSmrError || error instanceof Own) return true
  // Whatever asks a revoked proxy for anything gets this from the host: the argument's own business.
  // So does who asks a detached array; and a class that is given as a function cannot be called.
  return error instanceof TypeError && /revoked|detached|^Class constructor/.test(error.message)
}

const MOST_ARGUMENTS = 4
/** Of a walk that was returned. */
const MOST_STEPS = 100

function isWalk(value: unknown): value is Iterator<unknown> {
  return Object.prototype.toString.call(value) === '[object Generator]'
}

/** Calls one target; what went wrong, or nothing. */
export function call(target: Target, { legal }: Stage, random: Random): string | Promise<string> {
  const args = Array.from({ length: random.below(MOST_ARGUMENTS + 1) }, () =>
    random.oneIn(2) ? nasty(random) : legal[random.below(legal.length)],
  )
  const blame = (error: unknown): string =>
    isLegal(error) ? '' : `${target.name}: ${(error as Error)?.stack ?? typeof error}`
  try {
    const result = target.call(args)
    if (result instanceof Promise) {
      return result.then(
        () => '',
        (error: unknown) => blame(error),
      )
    }
    if (isWalk(result)) for (let n = 0; n < MOST_STEPS && result.next().done !== true; ) n++
    return ''
  } catch (error) {
    return blame(error)
  }
}

/** Leaves sections and locks that a call has opened, as its caller would; what stays, or nothing. */
export function tidy({ arena, handles, zones }: Stage): string {
  if (!arena.space.isOpen) return ''
  const { smr } = handles
  if (smr.entered) smr.exit()
  if (smr.entered) return `a section of ${smr.name} stays open`
  const { lock } = handles
  if (lock.held) lock.unlock()
  for (const zone of zones) if (zone.isAlive()) zone.check()
  return ''
}

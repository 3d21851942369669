/**
 * Death in each action of a worker: sections, allocations, frees, housekeeping, plain zones.
 */

import {
  aging,
  both,
  churning,
  freeing,
  leaving,
  plainly,
  reclaiming,
  sealing,
  taking,
  tuning,
} from './actions.ts'
import { type Action, deathScene } from './deathStage.ts'
import type { Scenario } from './scenario.ts'
import type { Library } from './stage.ts'
import { CHECKED_STAGE } from './world.ts'
import { type Body, lifelong, reading, replacing } from './zoneStage.ts'

const waiting: Body = (_memory, { smr }) => {
  smr.synchronize({ timeoutMs: 100 })
  smr.poll(smr.advance())
}
const preallocating: Body = (_memory, { zone }) => zone.prealloc(6)

export const ACTIONS: readonly Action[] = [
  { name: 'sections', body: reading(2, 0), heads: [0] },
  { name: 'advance, poll and wait', body: waiting },
  { name: 'alloc: fresh items', body: taking(1) },
  { name: 'alloc: fresh items, checked', body: taking(1), stage: CHECKED_STAGE },
  { name: 'alloc: expired items', first: churning(2, 3), body: taking(3), heads: [0] },
  {
    name: 'alloc: fresh items, in slabs of several pages',
    body: taking(1),
    limit: 3,
    knobs: { bytes: 4096, align: 4096 },
  },
  {
    name: 'alloc: expired items, checked',
    first: churning(2, 3),
    body: taking(3),
    stage: CHECKED_STAGE,
  },
  {
    name: 'alloc: at the limit',
    first: taking(4),
    body: both(freeing, taking(3)),
    heads: [0],
    limit: 5,
  },
  { name: 'free: full buckets', first: taking(5), body: freeing },
  { name: 'free: full buckets, checked', first: taking(5), body: freeing, stage: CHECKED_STAGE },
  { name: 'replace', body: replacing(6, 0), heads: [0], limit: 4 },
  { name: 'seal', first: both(taking(3), freeing), body: sealing },
  {
    name: 'reclaim: trim',
    first: both(taking(5), freeing),
    body: both(reclaiming('trim'), reclaiming('trim')),
  },
  { name: 'reclaim: drain', first: both(taking(5), freeing), body: reclaiming('drain') },
  { name: 'reclaim: all', first: both(taking(5), freeing), body: reclaiming('all') },
  {
    name: 'init and fini',
    first: both(taking(3), freeing),
    body: both(taking(4), freeing, reclaiming('all')),
    hooks: lifelong,
  },
  {
    name: 'plain init and fini',
    body: both(plainly(1, 4), reclaiming('all')),
    plain: true,
    hooks: lifelong,
  },
  {
    name: 'free: a step every second bucket',
    first: taking(5),
    body: freeing,
    knobs: { bucket: 1, advanceEvery: 2 },
  },
  {
    name: 'free: buckets of any size',
    first: taking(4),
    body: both(tuning({ bucket: 2 }), freeing, tuning({ bucket: 1 }), taking(2), freeing),
    knobs: { bucket: { min: 1, max: 2 } },
  },
  {
    name: 'a limit that falls below what is out, and rises',
    first: taking(7),
    body: both(tuning({ limit: 6 }), freeing, taking(1), tuning({ limit: 8 }), freeing),
    knobs: { bucket: 1, limit: 8 },
  },
  {
    name: "free: beyond the depot's limit",
    first: taking(5),
    body: freeing,
    knobs: { bucket: 1, depot: 0 },
  },
  { name: 'age', first: both(taking(3), freeing), body: both(aging, aging) },
  { name: 'prealloc', body: preallocating },
  { name: 'detach', first: both(taking(3), freeing, taking(1), freeing), body: leaving },
  { name: 'plain alloc and free', body: plainly(2, 3), plain: true },
  { name: 'plain swap', first: plainly(1, 2), body: plainly(2, 5), plain: true },
]

/** The same beside a worker who lives on, and meets what the dead one left before it is reaped. */
const ACCOMPANIED = [
  'sections',
  'alloc: fresh items',
  'alloc: at the limit',
  'free: full buckets',
  'replace',
  'seal',
  'reclaim: all',
  'detach',
  'plain alloc and free',
]
const GENTLE: Action = {
  name: 'replace beside a reader',
  heads: [0],
  first: replacing(1, 0),
  body: replacing(2, 0),
  other: reading(2, 0),
}

export function deathScenarios(lib: Library): readonly Scenario<undefined>[] {
  return ACTIONS.map((action) => deathScene(lib, { ...action, name: `death in ${action.name}` }))
}

export const ACCOMPANIED_DEEDS: readonly Action[] = ACTIONS.filter(({ name }) =>
  ACCOMPANIED.includes(name),
).map((action) => ({ ...action, other: action.plain ? plainly(1, 3) : churning(1, 3) }))

export function accompaniedDeaths(lib: Library): readonly Scenario<undefined>[] {
  const accompanied = ACCOMPANIED_DEEDS.map((action) =>
    deathScene(lib, { ...action, name: `death beside a third in ${action.name}` }),
  )
  return [deathScene(lib, { ...GENTLE, name: `death in ${GENTLE.name}` }), ...accompanied]
}

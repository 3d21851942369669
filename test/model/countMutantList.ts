/**
 * Every line that atomic fields rest on, removed or changed, and the scenario that must notice: as
 * tableMutantList.ts.
 */

import { countDeaths } from './tableCountDeaths.ts'
import { countScenarios } from './tableCounts.ts'
import { caught, type Trial } from './trial.ts'

const byCount = caught(countScenarios)
const byDeath = caught(countDeaths, { victim: 'victim' })

const ATOMIC = 'record/atomic'
const SEALS = 'table/seals'
const WRITER = 'table/writer'
const VERBS = 'table/verbs'

const PAIR = 'additions: any two at the same time'
const ONE = 'additions: one against any change of the record'
const READ = 'additions: read again against any change of the record'
const FOUND = 'additions: to a record that was found before'
const AGAIN = 'additions: up and down again while the record is looked at'
const STEP = 'additions: a step to the number that is a seal'
const ODD = 'additions: to the number that is a seal, and away'

const IS_OTHER =
  'const isOther = expected !== ANY && chains.versionOf(old) !== expected; if (isOther'

export const COUNT_TRIALS: readonly Trial[] = [
  // ---- one field -------------------------------------------------------------------------------
  byCount(PAIR, [
    'atomic: [A2] an addition is a load and a store',
    ATOMIC,
    'if (memory.cas(at, value, sum) === value) return sum;',
    'memory.store(at, sum); return sum;',
  ]),
  byCount(ONE, [
    'atomic: [A2] an addition does not look for the seal',
    ATOMIC,
    'if (value === SEAL || sum === SEAL)',
    'if (sum === SEAL)',
  ]),
  byCount(STEP, [
    'atomic: a sum may be the seal',
    ATOMIC,
    'if (value === SEAL || sum === SEAL)',
    'if (value === SEAL)',
  ]),
  byCount(STEP, [
    'atomic: an exchange may store the seal',
    ATOMIC,
    'return before === expected ? SEAL : before;',
    'return memory.cas(at, expected, value);',
  ]),
  byCount(ODD, [
    'atomic: an exchange may take a seal for the number',
    ATOMIC,
    'if (expected === SEAL) return memory.load(at);',
    '',
  ]),
  byCount(ONE, [
    'atomic: [A1] a seal is a plain store',
    ATOMIC,
    'if (memory.cas(at, value, SEAL) === value) return true;',
    'memory.store(at, SEAL); return true;',
  ]),
  byCount(READ, [
    'atomic: [A3] kept is stored after the seal',
    ATOMIC,
    'memory.store(at + KEPT, value); if (memory.cas(at, value, SEAL) === value) return true;',
    'if (memory.cas(at, value, SEAL) === value) { memory.store(at + KEPT, value); return true; }',
  ]),
  byCount(READ, [
    'atomic: [A3] a reader does not look at what is kept',
    ATOMIC,
    'return value === SEAL ? memory.load(at + KEPT) : value;',
    'return value;',
  ]),
  byCount(ODD, [
    'atomic: [A4] what is kept is stored plainly',
    ATOMIC,
    'export function keepAt(memory, at, value) { memory.store(',
    'export function keepAt(memory, at, value) { memory.poke(',
  ]),

  // ---- one record ------------------------------------------------------------------------------
  byCount(FOUND, [
    'seals: a record is taken out that can still be added to',
    WRITER,
    `${IS_OTHER} || !this.isSealed(old, seen)) old = 0;`,
    `${IS_OTHER}) old = 0;`,
  ]),
  byCount(FOUND, [
    'seals: a record is replaced that can still be added to',
    WRITER,
    `${IS_OTHER} || !this.isSealed(old, seen)) {`,
    `${IS_OTHER}) {`,
  ]),
  byCount(FOUND, [
    'seals: sealed when the new record is in place',
    WRITER,
    'this.seals.seal(record); return true;',
    'Promise.resolve().then(() => this.seals.seal(record)); return true;',
  ]),
  byCount(FOUND, [
    'seals: only the first field',
    SEALS,
    'for (const { name, offset } of this.fields) { if (isSealed',
    'for (const { name, offset } of this.fields.slice(1)) { if (isSealed',
  ]),
  byCount(ONE, [
    'seals: nobody compares what was seen',
    SEALS,
    'keptAt(memory, record + offset) === seen[i]',
    'keptAt(memory, record + offset) === seen[i] || true',
  ]),
  byCount(ONE, [
    'seals: compared before it is sealed',
    SEALS,
    'const wasSealed = this.seal(record);',
    'if (fields.every(({ offset }, i) => memory.load(record + offset) === seen[i])) { this.seal(record); return true; } const wasSealed = this.seal(record);',
  ]),
  byCount(AGAIN, [
    'seals: who changes a sealed record leaves its version',
    SEALS,
    'memory.store(record + this.version, version);',
    '{}',
  ]),
  byCount(AGAIN, [
    'seals: deleteIf does not seal before it looks',
    VERBS,
    '(isPlain || version === sealed) &&',
    '',
  ]),
  byCount(AGAIN, [
    'seals: a version is read plainly',
    'table/chains',
    'this.memory.load(node + this.versionOffset)',
    'this.memory.peek(node + this.versionOffset)',
  ]),
  byCount(ODD, [
    'seals: opened before it is changed',
    SEALS,
    'keepAt(memory, at, next(before)); openAt(memory, at);',
    'openAt(memory, at); keepAt(memory, at, next(before));',
  ]),
  byCount(ODD, [
    'seals: changed without the lock',
    WRITER,
    'try { const stripe = stripes.lockFor(hash);',
    'try { const stripe = hash >>> (32 - stripes.bits);',
  ]),
  byDeath('death in update of a sealed record, of atomic fields', [
    'additions: they wait for whoever has sealed the record',
    VERBS,
    'if (!waitForWriter(arena.space, n, !isNested)) return SEAL;',
    'waitForWriter(arena.space, 0, false);',
  ]),
]

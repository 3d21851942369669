/**
 * Every line that near copies rest on, removed or changed, and the scenario that must notice. As in
 * tableMutantList.ts.
 */

import { nearScenarios } from './nearScenarios.ts'
import { caught, type Trial } from './trial.ts'

const byNear = caught(nearScenarios)

const NEAR = 'table/near'
const OPEN = 'table/open'
const VERSION = 'table/version'
const WRITER = 'table/writer'

const REPLACE = 'near: a copy against replace'
const DELETE = 'near: a copy against delete'
const AGAIN = 'near: a version word that begins again'
const END = 'near: a copy against the end of its table'

const COUNT = 'chains.setVersion(item, versions.next(hash));'
const RELINK = 'memory.poke(item + link, memory.load(old === 0 ? head : old + link));'
const PUBLISH = 'memory.store(old === 0 ? head : at, item);'
const OWE =
  'if (this.blocks.count > 0) memory.poke(hands.owesAt, this.blocks.count); memory.poke(hands.owedAt, old);'
const HEAD = `const head = chains.headFor(now, hash); ${OWE}`
const UNLINK = 'memory.store(at, memory.load(old + link));'
const IS_CURRENT = 'if (copy === undefined || memory.load(copy.at) !== copy.seen) return undefined;'
const IS_EPOCH = 'if (memory.load(EPOCH) !== this.epoch || !this.space.isOpen) return undefined;'
const SEE = 'const seen = memory.load(versions.at(hash));'
const IF_FREE = 'return stripes.isFree(chains.stripeOf(hash)) ? seen : NOT_NOW;'
const SIGHT =
  'const epoch = memory.load(EPOCH); if (epoch !== this.epoch) { this.young = new Map(); this.old = new Map(); this.epoch = epoch; }'
const HAD = 'const had = this.young.get(key) ?? this.old.get(key);'

export const NEAR_TRIALS: readonly Trial[] = [
  // ---- the writer ------------------------------------------------------------------------------
  byNear('near: a copy against replace, seen by another', [
    'near: the word is counted after publication',
    WRITER,
    `${COUNT} ${HEAD} ${RELINK} ${PUBLISH}`,
    `const counter = versions.at(hash); chains.setVersion(item, memory.peek(counter) + 1); ${HEAD} ${RELINK} ${PUBLISH} memory.store(counter, memory.peek(counter) + 1);`,
  ]),
  byNear(REPLACE, [
    'near: the word is not counted by a record that replaces',
    WRITER,
    COUNT,
    'chains.setVersion(item, old === 0 ? versions.next(hash) : memory.peek(versions.at(hash)) + 1);',
  ]),
  byNear('near: a copy of nothing against insert', [
    'near: the word is not counted by a record that is new',
    WRITER,
    COUNT,
    'chains.setVersion(item, old !== 0 ? versions.next(hash) : memory.peek(versions.at(hash)) + 1);',
  ]),
  byNear(DELETE, [
    'near: the word is not counted when a record goes',
    WRITER,
    `versions.next(hash); ${OWE} ${UNLINK}`,
    `${OWE} ${UNLINK}`,
  ]),
  byNear('near: a copy against delete, seen by a lookup', [
    'near: the word is counted after a record has gone',
    WRITER,
    `versions.next(hash); ${OWE} ${UNLINK}`,
    `${OWE} ${UNLINK} versions.next(hash);`,
  ]),
  byNear(REPLACE, [
    'near: the word is stored plainly',
    VERSION,
    'this.memory.store(at, version);',
    'this.memory.poke(at, version);',
  ]),
  byNear(REPLACE, [
    'near: writers count the word of the next range',
    VERSION,
    'const at = this.at(hash);',
    'const at = this.at(hash) + 1;',
  ]),

  // ---- hits ------------------------------------------------------------------------------------
  byNear(REPLACE, [
    'near: a hit does not look at the word',
    NEAR,
    IS_CURRENT,
    'if (copy === undefined) return undefined;',
  ]),
  byNear(AGAIN, [
    'near: a hit does not look at the epoch',
    NEAR,
    IS_EPOCH,
    'if (!this.space.isOpen) return undefined;',
  ]),
  byNear(AGAIN, [
    'near: a hit loads the epoch before the word',
    NEAR,
    `${IS_CURRENT} ${IS_EPOCH}`,
    `if (memory.load(EPOCH) !== this.epoch || !this.space.isOpen) return undefined; ${IS_CURRENT}`,
  ]),

  // ---- copies ----------------------------------------------------------------------------------
  byNear(REPLACE, ['near: a copy is made while the lock is taken', NEAR, IF_FREE, 'return seen;']),
  byNear(REPLACE, [
    'near: the lock is looked at before the word',
    NEAR,
    `${SEE} ${IF_FREE}`,
    `const isFree = stripes.isFree(chains.stripeOf(hash)); ${SEE} return isFree ? seen : NOT_NOW;`,
  ]),
  byNear(REPLACE, [
    'near: the word is loaded after the walk',
    NEAR,
    HAD,
    `${HAD} if (seen !== NOT_NOW) seen = this.memory.load(this.parts.versions.at(hash));`,
  ]),
  byNear(AGAIN, [
    'near: the epoch is loaded after the walk',
    NEAR,
    HAD,
    `${HAD} this.epoch = this.memory.load(EPOCH);`,
  ]),
  byNear(AGAIN, [
    'near: copies of an earlier epoch stay',
    NEAR,
    SIGHT,
    'const epoch = memory.load(EPOCH); this.epoch = epoch;',
  ]),
  byNear(REPLACE, [
    'near: a copy is kept whatever version the record has',
    NEAR,
    'const isSame = had?.version === version && this.memory.load(EPOCH) === this.epoch;',
    'const isSame = true;',
  ]),
  byNear(AGAIN, [
    'near: one version is taken for one record in another epoch, too',
    NEAR,
    'const isSame = had?.version === version && this.memory.load(EPOCH) === this.epoch;',
    'const isSame = had?.version === version;',
  ]),

  // ---- the epoch -------------------------------------------------------------------------------
  byNear(AGAIN, [
    'near: a word begins again, and the epoch stays',
    VERSION,
    'moveEpoch(this.memory); return 1;',
    'return 1;',
  ]),
  byNear(END, [
    'near: a table ends, and the epoch stays',
    OPEN,
    'moveEpoch(memory); directory.remove',
    'directory.remove',
  ]),
  byNear(END, [
    'near: the epoch is moved when the pages have gone',
    OPEN,
    'moveEpoch(memory); directory.remove(serial, () => { pages.recover(); for (const array of arraysOf(space, at)) pages.release(array); pages.release(at); });',
    'directory.remove(serial, () => { pages.recover(); for (const array of arraysOf(space, at)) pages.release(array); pages.release(at); }); moveEpoch(memory);',
  ]),
]

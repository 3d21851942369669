/**
 * What a worker has in its hands: each ordering that zone/hands.ts argues for is broken, and a death must
 * lose an item, or free one twice. As tableMutantList.ts.
 */

import { orderDeaths } from './orderDeaths.ts'
import { deathScenarios } from './tableDeaths.ts'
import { twoDeathsInWrites } from './tableReapers.ts'
import { textDeaths } from './textScenarios.ts'
import { caught, type Trial } from './trial.ts'

const byDeath = caught(deathScenarios, { victim: 'victim' })
/** It dies between the store that publishes and its word; another deletes what it has put in. */
const byBystander = caught(deathScenarios, {
  rules: { kill: { thread: 'victim', afterStep: 45 }, sample: { schedules: 60 } },
})
/** It dies when it has given the lock back. */
const byRemover = caught(deathScenarios, {
  rules: { kill: { thread: 'victim', afterStep: 56 }, bound: 1 },
})
const byText = caught(textDeaths, { victim: 'victim' })
const byOrder = caught(orderDeaths, { victim: 'victim' })
const byReaper = caught(twoDeathsInWrites, {
  victim: 'rescuer',
  rules: { kill: { thread: 'victim', afterStep: 40 } },
})

const CACHE = 'zone/cache'
const DEAD = 'zone/deadHands'
const ARENA = 'arena/hands'
const REAP = 'arena/reap'
const WRITER = 'table/writer'
const STRIPES = 'table/stripes'
const BLOCKS = 'table/blocks'
const ORDER = 'order/writer'

const OWE = 'memory.poke(hands.owedAt, old);'
const UNLINK = `${OWE} memory.store(at, memory.load(old + link));`
const NAMED = 'memory.poke(at, item); memory.poke(bucket + COUNT, left);'
const LET_GO = 'memory.poke(hands.handAt, NULL_ITEM);'
const ON_TOP_ALLOC = 'if (!this.cache.isOnTop(this.cache.alloc, item)) {'
const ON_TOP_FREE = 'if (!this.cache.isOnTop(this.cache.free, item)) {'

export const HAND_TRIALS: readonly Trial[] = [
  byDeath('death in insert', [
    'hands: an item is named when it has left its bucket',
    CACHE,
    NAMED,
    'memory.poke(bucket + COUNT, left); memory.poke(at, item);',
  ]),
  byDeath('death in insert', [
    'hands: an item is not named',
    CACHE,
    NAMED,
    'memory.poke(bucket + COUNT, left);',
  ]),
  byDeath('death in insert', [
    'hands: an item that is in its bucket still is given back',
    DEAD,
    ON_TOP_ALLOC,
    '{',
  ]),
  byDeath('death in delete', [
    'hands: an item that is in the free bucket is freed once more',
    DEAD,
    ON_TOP_FREE,
    '{',
  ]),
  byDeath('death in delete', [
    'hands: a record is named when it is unlinked',
    WRITER,
    UNLINK,
    `memory.store(at, memory.load(old + link)); ${OWE}`,
  ]),
  byDeath('death in delete', [
    'hands: a record is not named any more before it is freed',
    WRITER,
    'this.zone.zfreeSmr(replaced); this.done();',
    'this.memory.poke(hands.owedAt, NULL_ITEM); this.zone.zfreeSmr(replaced); this.done();',
  ]),
  byRemover('death in insert, and another takes it out', [
    'hands: a record is named until its lock is given back',
    WRITER,
    `${LET_GO} if (old === 0) { const count = stripes.count(stripe, 1); if (isCrowded(this.parts, now, count)) records = count; } whole = true; } finally { this.release(stripe, whole); }`,
    `if (old === 0) { const count = stripes.count(stripe, 1); if (isCrowded(this.parts, now, count)) records = count; } whole = true; } finally { this.release(stripe, whole); } ${LET_GO}`,
  ]),
  byDeath('death in replace', [
    'hands: the reaper does not ask whether a record is in the table',
    ARENA,
    'for (const word of records?.words() ?? []) judgeByStripe(death, table, word);',
    '',
  ]),
  byBystander('death in replace, others go on', [
    'hands: who repairs a stripe leaves what the dead have named',
    STRIPES,
    'if (held.length > 0) forget(this.space, held, node);',
    '',
  ]),
  byDeath('death in insert', [
    'hands: buckets are taken over first',
    REAP,
    'settleDead(space, names, slot, domainAt);',
    '',
  ]),
  byReaper('death in replace, then death of the reaper', [
    'hands: the reaper clears the word before the item is back',
    DEAD,
    'if (!this.cache.unpop(item)) {',
    'memory.store(word, 0); if (!this.cache.unpop(item)) {',
  ]),
  byText('death in set, with texts', [
    'hands: blocks go back in the order in which they were taken',
    ARENA,
    'fieldsOf(space, hands.zone).reverse()',
    'fieldsOf(space, hands.zone)',
  ]),
  byText('death in set, with texts', [
    'hands: fields count before they are empty',
    BLOCKS,
    'memory.poke(hands.handAt, item | hands.owns);',
    '',
  ]),
  byText('death in delete, with texts', [
    'hands: nobody counts which blocks are freed',
    BLOCKS,
    'else this.free(heap, block); memory.poke(hands.owesAt, owes.held);',
    'else this.free(heap, block);',
  ]),
  byText('death in delete, with texts', [
    'hands: the blocks of a record that was unlinked are left',
    ARENA,
    'blocks.free(owed + field, hands.owesAt, i);',
    ';',
  ]),
  byOrder('ordered: death in insert that splits', [
    'hands: who repairs a tree leaves what the dead have named, and so does the reaper',
    ARENA,
    'if (words.length > 0) judgeByTree(death, table, words);',
    '',
  ]),
  byOrder('ordered: death in delete that collapses', [
    'hands: a node is not named before it is taken out',
    ORDER,
    'memory.poke(nodeHands.owedAt, node); memory.store(nodeLinkAt, other); // [P]',
    'memory.store(nodeLinkAt, other); // [P]\n memory.poke(nodeHands.owedAt, node);',
  ]),
]

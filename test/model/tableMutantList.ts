/**
 * Every line of the hash table that safety rests on, removed or changed, and the scenario that must
 * notice. As in mutantList.ts: the text is that of the built library, and a change that no scenario
 * can tell from the original is not kept.
 */

import { manyScenarios } from './manyScenarios.ts'
import { deathScenarios } from './tableDeaths.ts'
import { historyScenarios } from './tableHistories.ts'
import { keyScenarios } from './tableKeys.ts'
import { resizeScenarios } from './tableResizeScenarios.ts'
import { tableScenarios } from './tableScenarios.ts'
import { caught, type Trial } from './trial.ts'

const byLookup = caught(tableScenarios)
const byResize = caught(resizeScenarios)
const byMany = caught(manyScenarios)
const byKeys = caught(keyScenarios)
const byDeath = caught(deathScenarios, { victim: 'victim' })
/** Schedules among which one is known to show it. */
const PINNED = { schedules: 100, seed: 2, depth: 4 }

const byGoal = caught(deathScenarios, {
  rules: {
    kill: { thread: 'victim', afterStep: 83 },
    sample: { schedules: 300, seed: 5, depth: 4 },
  },
})

const byHistory = caught(historyScenarios)

const TABLE = 'table/table'
const VERBS = 'table/verbs'
const WRITER = 'table/writer'
const RESIZE = 'table/resize'
const STRIPES = 'table/stripes'
const CHAINS = 'table/chains'
const COMPOUND = 'memory/compound'
const STEP = 'step(call, asked, count, answers, from);'
const EXIT = '} finally { if (!nested) smr.exit(); }'
const PUBLISH = 'memory.store(old === 0 ? head : at, item);'
const RELINK = 'memory.poke(item + link, memory.load(old === 0 ? head : old + link));'
const IS_OTHER = 'const isOther = expected !== ANY && chains.versionOf(old) !== expected;'
const PUT_CHECK = `${IS_OTHER} if (isOther || !this.isSealed(old, seen)) { whole = true;`
const TAKE_CHECK = `${IS_OTHER} if (isOther || !this.isSealed(old, seen)) old = 0;`
const UNLINK = 'memory.store(at, memory.load(old + link));'
const RETIRE = 'memory.store(words + StripeWords.retired, current);'
const PUBLISH_CHAINS = 'chains.publish(stripe, next);'

export const TABLE_TRIALS: readonly Trial[] = [
  // ---- lookups and writers ---------------------------------------------------------------------
  byLookup('lookup against replace', [
    'table: fields after publication',
    WRITER,
    PUBLISH,
    `${PUBLISH} this.schema.store(memory, item, values)`,
  ]),
  byKeys('keys of one hash', [
    'table: hash after publication',
    WRITER,
    PUBLISH,
    `chains.setHash(item, 0); ${PUBLISH} chains.setHash(item, hash)`,
  ]),
  byLookup('lookup against replace', [
    'table: plain publication',
    WRITER,
    PUBLISH,
    PUBLISH.replace('store', 'poke'),
  ]),
  byLookup('lookup against writers of its chain', [
    'table: published before it is linked on',
    WRITER,
    `${RELINK}\n            ${PUBLISH}`,
    `const rest = memory.load(old === 0 ? head : old + link); memory.poke(item + link, 0); ${PUBLISH} memory.store(item + link, rest)`,
  ]),
  byLookup('lookup in place against insert and delete', [
    'table: freed before it is unlinked',
    WRITER,
    `${UNLINK}\n                hands.replaced = old;`,
    `this.zone.zfreeSmr(old); this.zone.seal(); ${UNLINK}`,
  ]),
  byMany('many at once against replace', [
    'table: many are copied after their section',
    VERBS,
    `${STEP} ${EXIT}`,
    `${EXIT} ${STEP}`,
  ]),
  byMany('many at once against replace', [
    'table: many are looked up before their section',
    VERBS,
    `if (!nested) smr.enterInCall(); try { ${STEP}`,
    `${STEP} if (!nested) smr.enterInCall(); try {`,
  ]),
  byLookup('lookup against replace', [
    'table: what is replaced is given back at once',
    WRITER,
    'this.zone.zfreeSmr(replaced);',
    'this.zone.giveHeldBack(this.zone.holdRaw(replaced));',
  ]),
  byLookup('lookup against writers of its chain', [
    'table: delete clears the link of its own record',
    WRITER,
    UNLINK,
    `const rest = memory.load(old + link); memory.store(at, rest); memory.store(old + link, 0)`,
  ]),
  byLookup('lookup against writers of its chain', [
    'table: lookup loads links plainly',
    COMPOUND,
    'node = memory.load(node + link);',
    'node = memory.peek(node + link);',
  ]),
  byLookup('one reader, two writers of its chain', [
    'table: no stripe lock',
    STRIPES,
    'taken = locks.acquire(at, this.what);',
    `taken = 'ok';`,
  ]),
  byLookup('lookup against replace', [
    'table: lookup outside of a section',
    TABLE,
    'if (!nested)\n            smr.enterInCall();\n        try {\n            const item = this.seek(aim, key);\n            return item === 0 ? undefined : this.schema',
    'const item = this.seek(aim, key); if (!nested)\n            smr.enterInCall();\n        try {\n            return item === 0 ? undefined : this.schema',
  ]),
  byHistory('linearizable: a change of one key while it is written twice', [
    'table: a record is put whatever version is there',
    WRITER,
    PUT_CHECK,
    'const isOther = expected === ABSENT && old !== 0; if (isOther || !this.isSealed(old, seen)) { whole = true;',
  ]),
  byHistory('linearizable: a change of one key while it is written twice', [
    'table: a record is put although there is one',
    WRITER,
    PUT_CHECK,
    'const isOther = expected > 0 && chains.versionOf(old) !== expected; if (isOther || !this.isSealed(old, seen)) { whole = true;',
  ]),
  byHistory('linearizable: a change of one key while it is written twice', [
    'table: a record is taken out whatever version it has',
    WRITER,
    TAKE_CHECK,
    'const isOther = false; if (isOther || !this.isSealed(old, seen)) old = 0;',
  ]),
  byHistory('linearizable: a change of one key while it is written twice', [
    'table: all records have one version',
    WRITER,
    'chains.setVersion(item, versions.next(hash));',
    'chains.setVersion(item, 1);',
  ]),
  byHistory('linearizable: a change of one key beside any other', [
    'table: the version is written after publication',
    WRITER,
    PUBLISH,
    `${PUBLISH} const late = chains.versionOf(item); chains.setVersion(item, late);`,
  ]),
  byKeys('keys of one hash', [
    'table: lookup compares hashes only',
    TABLE,
    'if (node === 0 || this.key.hits(memory, node, key))',
    'if (node === 0 || true)',
  ]),
  byKeys('keys of one hash', [
    'table: writers compare hashes only',
    WRITER,
    'this.key.equals(memory, node, key))\n                return at;',
    'true)\n                return at;',
  ]),

  // ---- resize ----------------------------------------------------------------------------------
  byResize('lookup against grow', [
    'resize: the new array takes the link word of the current one',
    RESIZE,
    'const link = 1 - (current & ChainsWord.linkMask);',
    'const link = current & ChainsWord.linkMask;',
  ]),
  byResize('lookup against there and back', [
    'resize: the old array goes back at once',
    RESIZE,
    'if (!smr.expiredUrgently(memory.peek(words + StripeWords.goal)))\n        return false;',
    '',
  ]),
  byResize('lookup against there and back', [
    'resize: threads without the grace period',
    RESIZE,
    'if (!smr.expiredUrgently(memory.peek(words + StripeWords.goal)))\n        return false;',
    'if (!smr.expiredUrgently(memory.peek(words + StripeWords.goal))) { memory.poke(words + StripeWords.retired, 0); return true }',
  ]),
  byResize('lookup of the last of a chain against there and back', [
    'resize: the goal is one that readers on the old array have seen',
    RESIZE,
    'const goal = parts.smr.stamp();',
    'const goal = parts.arena.memory.load(parts.smr.wrAt);',
  ]),
  byResize('writer against grow', [
    'resize: a stripe moves before it is locked',
    RESIZE,
    'stripes.lock(stripe);\n        let whole = false;\n        try {\n            goesOn = body(stripe);',
    'goesOn = body(stripe); stripes.lock(stripe);\n        let whole = false;\n        try {',
  ]),
  byResize('lookup against grow', [
    'resize: plain publication of the array',
    CHAINS,
    'this.memory.store(this.first + stripe, chains);',
    'this.memory.poke(this.first + stripe, chains);',
  ]),
  byResize('writer against grow', [
    'resize: the current array is remembered',
    CHAINS,
    'return this.memory.load(this.first + stripe);',
    'return ((this.known ??= [])[stripe] ??= this.memory.load(this.first + stripe));',
  ]),

  // ---- death -----------------------------------------------------------------------------------
  byDeath('death in insert', [
    'death: the count is not made again',
    STRIPES,
    `taken = this.outlastResize(at, error);\n        }\n        if (taken === 'owner-died')`,
    'taken = this.outlastResize(at, error);\n        }\n        if (index < 0)',
  ]),
  byDeath('death in insert, counted at once', [
    'death: nobody counts before the next write',
    STRIPES,
    'this.recover(i);',
    '',
  ]),
  byDeath('death in insert', [
    'death: counted after the lock is given back',
    WRITER,
    'if (old === 0) {\n                const count = stripes.count(stripe, 1);\n                if (isCrowded(this.parts, now, count))\n                    records = count;\n            }\n            whole = true;\n        }\n        finally {\n            this.release(stripe, whole);\n        }',
    'whole = true;\n        }\n        finally {\n            this.release(stripe, whole);\n        } if (hands.replaced === 0) stripes.count(stripe, 1);',
  ]),
  byDeath('death in growth', [
    'death: an array half built is forgotten',
    RESIZE,
    'if (pages.wordsAt(left) === own)\n            return true;',
    'if (left > 0)\n            return pages.allocateInto(at, own, RunKind.chains) !== 0;',
  ]),
  byDeath('death in growth', [
    'death: what is built may be the current array',
    RESIZE,
    'if (left === 0 || left !== ownArray(parts, parts.chains.current(stripe), stripe))',
    'if (left >= 0)',
  ]),
  byDeath('death in growth beside a reader', [
    'death: what is built may be an array that the stripe leaves',
    RESIZE,
    'if (shared !== 0)\n        releaseUnfinished(parts, stripe);\n    else if (!hasOwnArray(parts, stripe, bits))',
    'if (shared === 0 && !hasOwnArray(parts, stripe, bits))',
  ]),
  byDeath('death in grow, the next resizes too', [
    'death: what another has left in the heads is taken for records',
    CHAINS,
    'memory.fill(first, 2 ** this.bitsIn(next), 0);',
    '',
  ]),
  byDeath('death in shrink, the next wants more', [
    'death: what is retired may be the current array',
    RESIZE,
    'if (retired === chains.current(stripe))',
    'if (retired === 1)',
  ]),
  byDeath('death in shrink', [
    'death: retired after publication',
    RESIZE,
    `${RETIRE}\n    ${PUBLISH_CHAINS}`,
    `${PUBLISH_CHAINS} ${RETIRE}`,
  ]),
  byDeath(
    'death in grow beside a reader',
    [
      'death: nobody takes a goal for what has none',
      RESIZE,
      'if (memory.peek(words + StripeWords.goal) === 0)',
      'if (retired === 1)',
    ],
    // It dies between the two words, and a reader is on the array.
    { rules: { kill: { thread: 'victim', afterStep: 81 }, sample: PINNED } },
  ),
  byGoal('death in grow of a table resized before, beside a reader', [
    'death: the goal of the resize before is taken for that of this one',
    RESIZE,
    'memory.poke(words + StripeWords.goal, 0);\n',
    '\n',
  ]),
  byDeath(
    'death in growth, another grows',
    [
      'death: a promise of pages is not kept before the words are read',
      RESIZE,
      'pages.recover();\n    const left',
      'const left',
    ],
    { rules: { sample: { schedules: 20 } } },
  ),
]

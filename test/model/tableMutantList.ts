/**
 * Every line of the hash table that safety rests on, removed or changed, and the scenario that must
 * notice. As in mutantList.ts: the text is that of the built library, and a change that no scenario
 * can tell from the original is not kept.
 */

import type { Trial } from './mutantList.ts'
import type { Rules } from './rules.ts'
import type { Scenario } from './scenario.ts'
import type { Library } from './stage.ts'
import { deathScenarios, reapedDuringResize, twoDeaths } from './tableDeaths.ts'
import { keyScenarios } from './tableKeys.ts'
import { resizeScenarios } from './tableResizeScenarios.ts'
import { tableScenarios } from './tableScenarios.ts'

type Change = readonly [name: string, file: string, find: string, replace: string]
type More = Pick<Trial, 'victim' | 'rules'>

const caught =
  <W>(scenarios: (lib: Library) => readonly Scenario<W>[], usual: More = {}) =>
  (scenario: string, [name, file, find, replace]: Change, more: More = usual): Trial => ({
    name,
    file: `table/${file}`,
    find,
    replace,
    scenarios: scenarios as unknown as Trial['scenarios'],
    scenario,
    ...more,
  })

const byLookup = caught(tableScenarios)
const byResize = caught(resizeScenarios)
const byKeys = caught(keyScenarios)
const byDeath = caught(deathScenarios, { victim: 'victim' })
const byReaping = caught((lib) => [{ ...reapedDuringResize(lib), rules: { bound: 2 } }])
/** The first dies where it has written down what it retires, and has not published yet. */
const byTwo = caught((lib) => [twoDeaths(lib)], { victim: 'rescuer' })
const lateStores: Rules = { delayed: true, bound: 1 }

const PUBLISH = 'memory.store(old === 0 ? head : at, item);'
const RELINK = 'memory.store(item + link, old === 0 ? memory.load(head) : memory.load(old + link));'
const UNLINK = 'memory.store(at, memory.load(old + link));'
const RETIRE = `memory.poke(at + TableWords.retired, current);`
const GOAL = 'memory.poke(at + TableWords.goal, smr.advance());'

export const TABLE_TRIALS: readonly Trial[] = [
  // ---- lookups and writers ---------------------------------------------------------------------
  byLookup('lookup against replace', [
    'table: fields after publication',
    'table',
    PUBLISH,
    `${PUBLISH} this.schema.write(this.arena, item, object)`,
  ]),
  byLookup('lookup against replace', [
    'table: hash after publication',
    'table',
    PUBLISH,
    `chains.setHash(item, 0); ${PUBLISH} chains.setHash(item, hash)`,
  ]),
  byLookup('lookup against replace', [
    'table: plain publication',
    'table',
    PUBLISH,
    PUBLISH.replace('store', 'poke'),
  ]),
  byLookup(
    'lookup against replace',
    ['table: plain link of the new record', 'table', RELINK, RELINK.replace('store', 'poke')],
    { rules: lateStores },
  ),
  byLookup('lookup against writers of its chain', [
    'table: published before it is linked on',
    'table',
    `${RELINK}\n            ${PUBLISH}`,
    `const rest = old === 0 ? memory.load(head) : memory.load(old + link); memory.store(item + link, 0); ${PUBLISH} memory.store(item + link, rest)`,
  ]),
  byLookup('lookup in place against insert and delete', [
    'table: freed before it is unlinked',
    'table',
    `${UNLINK}\n                this.count(stripe, -1);`,
    `zone.zfreeSmr(old); zone.seal(); ${UNLINK} this.count(stripe, -1); old = 0`,
  ]),
  byLookup('lookup against replace', [
    'table: what is replaced is given back at once',
    'table',
    'zone.zfreeSmr(old);\n        return this;',
    'zone.giveBack(old);\n        return this;',
  ]),
  byLookup('lookup against writers of its chain', [
    'table: delete clears the link of its own record',
    'table',
    UNLINK,
    `const rest = memory.load(old + link); memory.store(at, rest); memory.store(old + link, 0)`,
  ]),
  byLookup('lookup against writers of its chain', [
    'table: lookup loads links plainly',
    'table',
    'node = memory.load(node + link);',
    'node = memory.peek(node + link);',
  ]),
  byLookup('one reader, two writers of its chain', [
    'table: no stripe lock',
    'table',
    `const taken = locks.lock(this.stripe(index) + StripeWords.lock, \`table \${show(this.name)} stripe\`);`,
    `const taken = 'ok';`,
  ]),
  byLookup('lookup in place against insert and delete', [
    'table: lookup outside of a section',
    'table',
    'if (!nested)\n            smr.enter();\n        try {\n            const item = this.search(key);',
    'const item = this.search(key); if (!nested)\n            smr.enter();\n        try {',
  ]),
  byKeys('keys of one hash', [
    'table: lookup compares hashes only',
    'table',
    'this.key.equals(memory, node, key))\n                return node;',
    'true)\n                return node;',
  ]),
  byKeys('keys of one hash', [
    'table: writers compare hashes only',
    'table',
    'this.key.equals(memory, node, key))\n                return at;',
    'true)\n                return at;',
  ]),

  // ---- resize ----------------------------------------------------------------------------------
  byResize('lookup against grow', [
    'resize: the new array takes the link word of the current one',
    'resize',
    'const link = 1 - (current & ChainsWord.linkMask);',
    'const link = current & ChainsWord.linkMask;',
  ]),
  byResize('lookup against grow', [
    'resize: the old array goes back at once',
    'resize',
    'if (!smr.expired(memory.peek(at + TableWords.goal)))\n        return false;',
    '',
  ]),
  byResize('lookup against there and back', [
    'resize: threads without the grace period',
    'resize',
    'if (!collect(parts))\n            return false;',
    'collect(parts); if (memory.peek(at + TableWords.retired) !== 0) memory.poke(at + TableWords.retired, 0)',
  ]),
  byResize('lookup against grow', [
    'resize: the goal is taken before publication',
    'resize',
    `chains.publish(next);\n        ${GOAL}`,
    `${GOAL} chains.publish(next)`,
  ]),
  byResize('writer against grow', [
    'resize: one stripe locked',
    'resize',
    'withStripes(parts, lockStripe, 2 ** stripeBits,',
    'withStripes(parts, lockStripe, 1,',
  ]),
  byResize('lookup against grow', [
    'resize: plain publication of the array',
    'chains',
    'this.memory.store(this.wordAt, chains);',
    'this.memory.poke(this.wordAt, chains);',
  ]),
  byResize('writer against grow', [
    'resize: the current array is remembered',
    'chains',
    'return this.memory.load(this.wordAt);',
    'return (this.known ??= this.memory.load(this.wordAt));',
  ]),
  byResize('iteration in several sections against shrink', [
    'iteration: goes on at the chain, not at the hash',
    'table',
    'if (this.chains.hashOf(node) >>> 0 >= from)',
    'if (from >= 0)',
  ]),

  // ---- death -----------------------------------------------------------------------------------
  byDeath('death in insert', [
    'death: the count is not made again',
    'table',
    `if (taken === 'owner-died')`,
    'if (index < 0)',
  ]),
  byDeath('death in insert', [
    'death: counted after the lock is given back',
    'table',
    'if (old === 0)\n                this.count(stripe, 1);\n        }\n        finally {\n            this.unlock(stripe);\n        }',
    '}\n        finally {\n            this.unlock(stripe);\n        } if (old === 0) this.count(stripe, 1);',
  ]),
  byDeath('death in grow, the next resizes too', [
    'death: an array half built is forgotten',
    'resize',
    'else if (left !== 0)\n            chains.releaseFrom(at + TableWords.building);',
    '',
  ]),
  byDeath('death in grow, the next resizes too', [
    'death: what is built may be the current array',
    'resize',
    'if (left === (current & ChainsWord.pageMask))',
    'if (left < 0)',
  ]),
  byDeath('death in grow, the next resizes too', [
    'death: what is retired may be the current array',
    'resize',
    'if (retired === chains.current())',
    'if (retired < 0)',
  ]),
  byDeath('death in grow, the next resizes too', [
    'death: retired after publication',
    'resize',
    `${RETIRE}\n        chains.publish(next);`,
    `chains.publish(next); ${RETIRE}`,
  ]),
  byDeath('death in grow, the next resizes too', [
    'death: nobody takes a goal for what has none',
    'resize',
    'if (memory.peek(at + TableWords.goal) === 0)',
    'if (retired < 0)',
  ]),
  byTwo(
    'death in grow, then death of the rescuer in resize',
    [
      'two deaths: a goal before it is known what is retired',
      'resize',
      'if (retired === chains.current()) {',
      'const none = memory.peek(at + TableWords.goal) === 0; if (none) memory.poke(at + TableWords.goal, smr.advance()); if (none && retired === chains.current()) {',
    ],
    { victim: 'rescuer', rules: { kill: { thread: 'victim', afterStep: 58 } } },
  ),
  byReaping(
    'death in grow, reaped while another resizes',
    [
      'death: a promise of pages is not kept before the words are read',
      'resize',
      'pages.settle();',
      '',
    ],
    // He dies where the pages are promised, and not yet written down.
    { rules: { kill: { thread: 'victim', afterStep: 24 } } },
  ),
]

/**
 * A domain is split: two subsystems that shared smr_system get domains of their own.
 *
 *     npm run build && node build/examples/xnu/split.js
 *
 * A domain answers one question: may what was freed be used again? It answers for all who share it. So
 * one subsystem's slow reader keeps the other one's memory waiting, although it can see nothing of it.
 * smr.h recommends few domains nevertheless - each has memory, and structures that are used together
 * need the same - and that a subsystem gives even a shared domain a name of its own. Then the border
 * can be moved later. Here it is moved, by what `tell` is given and nothing else:
 *
 *     smr_subsystem(smr_system(arena))                              mail and files share
 *     smr_subsystem(smr_domain_create(arena, SMR_NONE, 'mail'))     mail has its own
 *
 * The same story is told twice. `files` has a reader that takes its time; `mail` frees eight letters and
 * wants to use their memory again. The reader is a second attachment to the arena in this same
 * thread, so that the story has only one order.
 */

import { Arena, type Item, record, type Smr, u32 } from 'uma-smr'
import {
  SMR_NONE,
  smr_domain_create,
  smr_subsystem,
  type smr_subsystem_t,
  smr_system,
  Z_WAITOK,
  zalloc_smr,
  zfree_smr,
  zone_create,
  zone_enable_smr,
  type zone_t,
} from 'uma-smr/xnu'

const BUCKET = 4
const ELEMENTS = 2 * BUCKET
const VALUE = 4711
const OTHER = 1147

type DomainOf = (arena: Arena) => Smr

const Element = record({ value: u32, other: u32 })

/** Knows its domain by its own name for it, and never asks who else is in it. */
class Subsystem {
  readonly name: string
  readonly smr: smr_subsystem_t
  readonly zone: zone_t
  private readonly arena: Arena

  constructor(arena: Arena, name: string, domainOf: DomainOf) {
    this.arena = arena
    this.name = name
    this.smr = smr_subsystem(domainOf(arena))
    this.zone = zone_create(arena, name, Element.bytes, { bucket: BUCKET })
    zone_enable_smr(this.zone, this.smr.smr)
  }

  /** Elements, each with the value. */
  make(value: number): Item[] {
    return Array.from({ length: ELEMENTS }, () => {
      const elem = zalloc_smr(this.zone, Z_WAITOK)
      Element.set.value(this.arena, elem, value)
      return elem
    })
  }

  /** Frees them; nobody can find them any more. */
  free(elements: readonly Item[]): void {
    for (const elem of elements) zfree_smr(this.zone, elem)
    this.zone.zone.seal() // So that the last bucket need not wait until it is full.
  }

  read(elem: Item): number {
    return Element.get.value(this.arena, elem)
  }
}

/** What differs between the two tellings. */
interface Outcome {
  readonly mailReused: boolean
  readonly filesReused: boolean
  readonly filesReusedLater: boolean
  readonly falseReads: number
  readonly advances: readonly number[]
}

const shared = tell('mail and files share smr_system', smr_system, smr_system)
const split = tell(
  'mail and files have domains of their own',
  (arena) => smr_domain_create(arena, SMR_NONE, 'mail'),
  (arena) => smr_domain_create(arena, SMR_NONE, 'files'),
)

console.log('what changes')
claim(!shared.mailReused, "shared: mail's memory waits for the reader of files")
claim(split.mailReused, 'split: it does not')
claim(shared.advances.length === 1 && split.advances.length === 2, 'there is a clock more')
console.log('what does not')
claim(shared.falseReads + split.falseReads === 0, 'the reader of files saw what it had found')
claim(!shared.filesReused && !split.filesReused, 'what files freed waits for the reader of files')
claim(shared.filesReusedLater && split.filesReusedLater, 'and comes back when it has left')
claim(sum(shared.advances) === sum(split.advances), 'one step of a clock per bucket')

function tell(title: string, mailDomain: DomainOf, filesDomain: DomainOf): Outcome {
  const arena = Arena.create({ bytes: 2 ** 20 })
  const there = Arena.attach(arena.handle)
  const mail = new Subsystem(arena, 'mail', mailDomain)
  const files = new Subsystem(arena, 'files', filesDomain)
  const reader = new Subsystem(there, 'files', filesDomain)
  console.log(`${title}\n`)
  headline()

  const letters = mail.make(VALUE)
  const open = files.make(VALUE)
  const found = open[0] as Item
  reader.smr.enter()
  mail.free(letters)
  files.free(open)
  const moreLetters = mail.make(OTHER)
  const moreOpen = files.make(OTHER)
  const falseReads = reader.read(found) === VALUE ? 0 : 1
  show(mail, 'while files reads')
  show(files, 'while files reads')
  reader.smr.leave()

  mail.free(moreLetters)
  files.free(moreOpen)
  const last = files.make(0)
  mail.make(0)
  show(mail, 'when it has left')
  show(files, 'when it has left')
  console.log()

  const domains = new Set([mail.smr.smr, files.smr.smr])
  const advances = [...domains].map((smr) => smr.stats().advances)
  for (const smr of domains) {
    const { name, advances: steps, polls, pollFails } = smr.stats()
    console.log(`domain ${name}: ${steps} advances, ${polls} polls, ${pollFails} of them in vain`)
  }
  console.log()
  const mailReused = overlap(moreLetters, letters)
  const filesReused = overlap(moreOpen, open)
  return { mailReused, filesReused, filesReusedLater: overlap(last, open), falseReads, advances }
}

// ---- helpers ---------------------------------------------------------------------------------

function overlap(some: readonly Item[], others: readonly Item[]): boolean {
  return some.some((item) => others.includes(item))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}

function headline(): void {
  row('', ['live', 'pending', 'retired', 'imports', 'poll no'])
}

/** A line of the zone's own numbers. `pending`: freed, but not known to be out of sight. */
function show({ name, zone }: Subsystem, when: string): void {
  const { live, pending, retired, imports, pollFails } = zone.zone.stats()
  row(`  ${name}, ${when}`, [live, pending, retired, imports, pollFails])
}

function row(what: string, cells: readonly (string | number)[]): void {
  console.log(what.padEnd(28) + cells.map((cell) => String(cell).padStart(9)).join(''))
}

function claim(isSo: boolean, what: string): void {
  console.log(`  ${isSo ? 'yes' : 'NO '}  ${what}`)
  if (!isSo) process.exitCode = 1
}

/**
 * lmdb: a memory-mapped database, native code, the one rival whose readers do not block.
 *
 * Made as quick as its manual allows: no syncing to disk, integer keys in their own encoding, and
 * two ways of keeping a record: msgpack with shared structures (an object comes back), or 24 bytes
 * whose fields are read in place (`getBinaryFast`, no object). A reader in a loop that never ends
 * its turn keeps one snapshot for ever, so it asks for a new one now and then.
 */
import { Buffer } from 'node:buffer'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Fields, Key, KeyKind } from '../harness/data.ts'
import { loadHeavy } from '../harness/heavy.ts'
import type { TableReader, TableRival } from './table.ts'

type Encoding = 'msgpack' | 'binary'

interface Database {
  get(key: Key): Fields | undefined
  getBinaryFast(key: Key): Buffer | undefined
  doesExist(key: Key): boolean
  putSync(key: Key, value: Fields | Buffer): void
  transactionSync(work: () => void): void
  resetReadTxn(): void
  close(): Promise<void>
}

interface Lmdb {
  open(options: Readonly<Record<string, unknown>>): Database
}

interface Ticket {
  readonly path: string
  readonly kind: KeyKind
  readonly encoding: Encoding
}

/** Where lmdb keeps the shapes of the objects: a key that no record has. */
const SHAPES_AT: Readonly<Record<KeyKind, Key>> = { int: 0, string: 'shapes' }

const MAP_BYTES = 2 ** 28
const POPULATION = 0
const LAT = 8
const LON = 16
const RECORD_BYTES = 24

export function createLmdbTable(kind: KeyKind, encoding: Encoding): TableRival {
  const path = mkdtempSync(join(tmpdir(), 'uma-smr-bench-'))
  return tableOf({ path, kind, encoding })
}

export function joinLmdbTable(ticket: unknown): TableReader {
  return tableOf(ticket as Ticket)
}

function tableOf(ticket: Ticket) {
  const { open } = loadHeavy('lmdb') as Lmdb
  const database = open({
    path: ticket.path,
    encoding: ticket.encoding,
    keyEncoding: ticket.kind === 'int' ? 'uint32' : 'ordered-binary',
    mapSize: MAP_BYTES,
    noSync: true,
    ...(ticket.encoding === 'msgpack' && { sharedStructuresKey: SHAPES_AT[ticket.kind] }),
  })
  return ticket.encoding === 'msgpack'
    ? new LmdbObjects(database, ticket)
    : new LmdbBytes(database, ticket)
}

abstract class LmdbTable {
  protected readonly database: Database
  readonly #ticket: Ticket

  constructor(database: Database, ticket: Ticket) {
    this.database = database
    this.#ticket = ticket
  }

  keyOf(key: Key): Key {
    return key
  }

  has(key: Key): boolean {
    return this.database.doesExist(key)
  }

  together(work: () => void): void {
    this.database.transactionSync(work)
  }

  ticket(): unknown {
    return this.#ticket
  }

  refresh(): void {
    this.database.resetReadTxn()
  }

  async leave(): Promise<void> {
    await this.database.close()
  }

  async close(): Promise<void> {
    await this.database.close()
    rmSync(this.#ticket.path, { recursive: true, force: true })
  }
}

class LmdbObjects extends LmdbTable implements TableRival, TableReader {
  get(key: Key): Fields | undefined {
    return this.database.get(key)
  }

  sum(key: Key): number {
    const found = this.database.get(key)
    return found === undefined ? 0 : found.population + found.lat + found.lon
  }

  set(key: Key, population: number, lat: number, lon: number): void {
    this.database.putSync(key, { population, lat, lon })
  }
}

class LmdbBytes extends LmdbTable implements TableRival, TableReader {
  get(key: Key): Fields | undefined {
    const bytes = this.database.getBinaryFast(key)
    if (bytes === undefined) return undefined
    return {
      population: bytes.readUInt32LE(POPULATION),
      lat: bytes.readDoubleLE(LAT),
      lon: bytes.readDoubleLE(LON),
    }
  }

  sum(key: Key): number {
    const bytes = this.database.getBinaryFast(key)
    if (bytes === undefined) return 0
    return bytes.readUInt32LE(POPULATION) + bytes.readDoubleLE(LAT) + bytes.readDoubleLE(LON)
  }

  set(key: Key, population: number, lat: number, lon: number): void {
    const bytes = Buffer.allocUnsafe(RECORD_BYTES)
    bytes.writeUInt32LE(population, POPULATION)
    bytes.writeDoubleLE(lat, LAT)
    bytes.writeDoubleLE(lon, LON)
    this.database.putSync(key, bytes)
  }
}

/** What a worker of this example is told, and what it reports. */

import type { Handle } from 'uma-smr'

export type Role = 'reader' | 'writer'

export interface Order {
  readonly arena: Handle
  readonly role: Role
  readonly index: number
  readonly forMs: number
}

export interface Report {
  readonly role: Role
  readonly worker: number
  readonly done: number
  /** Connections that were not in one piece, or not those that were asked for. */
  readonly torn: number
  /** Connections that are never removed, and were not found. */
  readonly lost: number
}

/** Ports below KEPT are never removed, those from there on come and go. */
export const PORTS = 1024
export const KEPT = 256

/** The address of a port in some version of it. */
export function addressOf(port: number, version: number): number {
  return (Math.imul(port, 65_537) ^ version) >>> 0
}

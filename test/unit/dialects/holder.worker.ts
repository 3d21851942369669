/**
 * Holds a read section of the zone "one" open until it is told to leave, and a little longer: a reader
 * that others wait for.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { Arena, type Handle } from 'uma-smr'
import * as bsd from 'uma-smr/freebsd'

const FOR_MS = 50
const AT_MOST_MS = 10_000

const arena = Arena.attach(workerData as Handle)
const zone = bsd.uma_zcreate(arena, 'one', 64, null, null, null, null, 7, bsd.UMA_ZONE_SMR)
const smr = bsd.uma_zone_get_smr(zone)
bsd.smr_enter(smr)
parentPort?.postMessage('inside')
Atomics.wait(arena.words, arena.root('go'), 0, AT_MOST_MS)
const until = performance.now() + FOR_MS
while (performance.now() < until);
bsd.smr_exit(smr)
arena.detach()

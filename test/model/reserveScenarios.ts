/**
 * A reserve that is kept, for the explorer: who asks for it finds it, whatever others take and free at
 * the same time; and who does not ask leaves it there.
 */

import { taking } from './actions.ts'
import type { Scenario } from './scenario.ts'
import type { Library } from './stage.ts'
import { type Body, worker, zoneScene } from './zoneStage.ts'

const RESERVE = 1
const FEW = { limit: 3, bucket: 1, reserve: RESERVE, keepReserve: true }

/** Takes one of the reserve, which must be there. */
const asking: Body = (_memory, { zone }, hand) => {
  const isThere = hand.take(zone.useReserve(() => zone.tryZallocSmr()))
  if (!isThere) throw new Error('the reserve is not there')
}

/** Takes as many as it gets without asking. There must be none left but the reserve. */
const takingAll =
  (most: number): Body =>
  (memory, hired, hand) => {
    taking(most + 1)(memory, hired, hand)
    const got = hand.items().length
    if (got > most) throw new Error(`${got} were had, and the reserve is gone`)
  }

export function reserveScenarios(lib: Library): readonly Scenario<undefined>[] {
  return [
    zoneScene(
      lib,
      'reserve: one who takes all, and one who asks',
      [worker(lib, 'taker', 0, takingAll(2)), worker(lib, 'asker', 1, asking)],
      { zone: FEW },
    ),
    zoneScene(
      lib,
      'reserve: two who take all, and one who asks',
      [
        worker(lib, 'one', 0, takingAll(2)),
        worker(lib, 'other', 1, takingAll(2)),
        worker(lib, 'asker', 2, asking),
      ],
      { zone: FEW },
      { rules: { bound: 1 } },
    ),
  ]
}

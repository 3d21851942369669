/**
 * Several workers in one thread: each attachment to an arena is a worker of its own, with its own
 * slot, caches and sections. One thread decides the order of their steps, so tests can tell exactly
 * who does what before whom.
 */

import { Arena, type ArenaOptions } from '#src/index.ts'
import { CONFIGS, type Config, tinyArena } from './tiny.ts'

/** An arena and one more attachment to it. */
export function pair(options: ArenaOptions = {}, config = CONFIGS[0] as Config): [Arena, Arena] {
  const first = tinyArena(config, options)
  return [first, another(first, options)]
}

/** An arena with three attachments in all. */
export function trio(
  options: ArenaOptions = {},
  config = CONFIGS[0] as Config,
): [Arena, Arena, Arena] {
  const [first, second] = pair(options, config)
  return [first, second, another(first, options)]
}

/** One more attachment, with intrinsics if the first has them. */
function another({ handle }: Arena, { intrinsics }: ArenaOptions): Arena {
  const arena = Arena.attach(handle, intrinsics === undefined ? {} : { intrinsics })
  arena.space.watch.every = () => {}
  return arena
}

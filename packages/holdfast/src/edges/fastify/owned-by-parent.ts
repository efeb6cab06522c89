import type { FastifyPluginCallback, FastifyPluginOptions } from 'fastify'

/** Marks a plugin whose hooks and handlers belong to the app that registers it, instead of to a scope of its own. */
export function ownedByParent<Options extends FastifyPluginOptions>(
  plugin: FastifyPluginCallback<Options>,
): FastifyPluginCallback<Options> {
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true })
}

import type { FastifyPluginCallback, FastifyPluginOptions } from 'fastify'

/** Marks a plugin whose hooks and handlers belong to the app that registers it, instead of to a scope of its own. */
export function ownedByParent<Options extends FastifyPluginOptions>(
  plugin: FastifyPluginCallback<Options>,
): FastifyPluginCallback<Options> {
  const owned: FastifyPluginCallback<Options> = (app, options, done) => {
    // What a plugin throws by itself, such as for a wrong option, Fastify lets end the process; this way `register` rejects.
    try {
      plugin(app, options, done)
    } catch (error) {
      done(error as Error)
    }
  }
  return Object.assign(owned, { [Symbol.for('skip-override')]: true })
}

export { fallback, routes } from '../edges/express/routes.ts'
export { createServer, type ServerLimits } from '../edges/node/server.ts'

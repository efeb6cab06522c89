import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import express from 'express'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { errorHandler, requestLog } from '../../src/edges/express/parts.ts'
import { createServer } from '../../src/edges/node/server.ts'
import { createRecordingLogger } from '../../src/testing/recording-logger.ts'
import { run, type RunningEdge } from '../edges.ts'

const logger = createRecordingLogger()
let folder: string
let running: RunningEdge
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-static-'))
  writeFileSync(join(folder, 'five.txt'), 'fives')
  const app = express()
  app.use(requestLog({ logger }))
  app.get('/stream', (_request, response) => {
    response.write('a'.repeat(1000))
    response.end('é')
  })
  app.use(express.static(folder, { fallthrough: false }))
  app.use(errorHandler({ logger }))
  running = await run(createServer(app))
})
afterAll(async () => {
  await running.stop()
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  logger.lines.length = 0
})

describe('given files that Express serves by itself', () => {
  test.each<[string, Record<string, string>, number, string]>([
    ['/five.txt', { range: 'bytes=999-' }, 416, 'request.range_not_satisfiable'],
    ['/five.txt', { 'if-match': '"other"' }, 412, 'request.precondition_failed'],
    ['/missing.txt', {}, 404, 'request.not_found'],
    ['/.env', {}, 404, 'request.not_found'],
  ])(
    'when %s is asked for with %j, the client is told and nobody takes it for a defect',
    async (path, headers, status, code) => {
      const response = await fetch(`${running.url}${path}`, { headers })
      expect(await response.json()).toMatchObject({ status, code })
      await vi.waitFor(() => expect(logger.lines.map(({ level }) => level)).toEqual(['info']))
    },
  )
})

describe('given a reply that announces no length', () => {
  test('when it has been streamed, its line counts what was written', async () => {
    await (await fetch(`${running.url}/stream`)).text()
    await vi.waitFor(() =>
      expect(logger.lines.map(({ fields }) => [fields['status'], fields['bytes']])).toEqual([[200, 1002]]),
    )
  })
})

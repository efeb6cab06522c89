import { connect } from 'node:net'

/** True when a Redis on this port of 127.0.0.1 knows the password and answers within a second. Never rejects. */
export function ping(port: number, password: string): Promise<boolean> {
  return new Promise((resolve) => {
    let reply = ''
    const socket = connect({ port, host: '127.0.0.1' })
    const settle = (isThere: boolean): void => {
      socket.destroy()
      resolve(isThere)
    }
    socket.setTimeout(1000, () => settle(false))
    socket.once('error', () => settle(false))
    socket.once('close', () => settle(false))
    // One byte each: what is no Redis may not speak UTF-8.
    socket.setEncoding('latin1').on('data', (text: string) => {
      reply = (reply + text).slice(0, 100)
      if (reply === '+OK\r\n+PONG\r\n') settle(true)
      else if (reply.startsWith('-') || reply.length >= 12) settle(false)
    })
    socket.write(`AUTH ${password}\r\nPING\r\n`)
  })
}

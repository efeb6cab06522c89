// Accident: the runner is killed outright, its service lives on, and the next start finds the port taken.
// Preloaded into the programs the runner starts: when the channel to the runner breaks, they get the signal to stop.

if (process.channel) {
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  process.channel.unref()
}

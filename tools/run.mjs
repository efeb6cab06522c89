// Accident: on an old Node the first modern line dies with a SyntaxError that names no version.
// So this file is written for any Node that reads ES modules, and looks at the version before it loads the rest.

const found = process.versions.node

if (Number(found.split('.')[0]) < 20) {
  console.error('holdfast: Node ' + found + ' is too old to start from. Install Node 24, then run the command again.')
  process.exitCode = 1
} else {
  import('./commands.mjs')
    .then((commands) => commands.run(process.argv.slice(2)))
    .then(
      (exitCode) => {
        process.exitCode = exitCode
      },
      (error) => {
        console.error(error && error.name === 'Refusal' ? 'holdfast: ' + error.message : error)
        process.exitCode = 1
      },
    )
}

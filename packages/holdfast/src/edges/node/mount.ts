/** The part of a request target below a mount point; outside of it a target that no table has. */
export function belowMount(mountPath: string, target: string): string {
  if (mountPath === '' || mountPath === '/') return target
  const rest = target.startsWith(mountPath) ? target.slice(mountPath.length) : undefined
  if (rest === '' || rest?.startsWith('?')) return `/${rest}`
  return rest?.startsWith('/') ? rest : outside
}

// A parameter is never empty and no path of a table has an empty segment, so nothing matches this.
const outside = '//'

// Accident: the service runs, and its person does not know where, or tries a line that cannot work.

/** Says what runs where, and five lines that work when pasted. */
export async function guideTo(url: string, edge: string, folder: string): Promise<void> {
  const id = await someProduct(url)
  // A new one each time, for the second person to create it is refused.
  const sku = `TRY-${Date.now().toString(36).toUpperCase()}`
  const json = `-H 'content-type: application/json' -d`
  console.log(`
Running
  service     ${url}  on ${edge}, from ${folder}
  PostgreSQL  embedded; the log above says where its data lies
  probes      ${url}/livez  ${url}/readyz

Try
  curl -s '${url}/products?limit=3'
  curl -s ${url}/products/${id}
  curl -s ${url}/products ${json} '{"sku":"${sku}","name":"Tarred rope","priceCents":4999}'
  curl -s ${url}/products ${json} '{"sku":"no such sku","priceCents":-1}'
  curl -si ${url}/nothing-here

Ctrl-C stops it. The source is yours to look at: ${folder}/src/app.ts
`)
}

async function someProduct(url: string): Promise<string> {
  try {
    const response = await fetch(`${url}/products?limit=1`, { signal: AbortSignal.timeout(5000) })
    const { data } = (await response.json()) as { readonly data: readonly { readonly id: string }[] }
    return data[0]?.id ?? 'none-yet'
  } catch {
    return 'none-yet'
  }
}

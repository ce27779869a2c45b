/** A process that writes images into a layout until it is killed: PATH NAME COUNT. Sends each name that is written. */
import { OciLayout } from '../layout/oci-layout.ts'
import { mediaTypes } from '../model/media-types.ts'

const [path, name, count] = process.argv.slice(2) as [string, string, string]
const layout = await OciLayout.create(path)
for (let n = 0; n < Number(count); n++) {
  const index = { schemaVersion: 2, manifests: [], annotations: { name: `${name}-${n}` } }
  await layout.pushManifest(Buffer.from(JSON.stringify(index)), mediaTypes.ociIndex, { tags: [`${name}-${n}`] })
  process.send?.(`${name}-${n}`)
}
process.disconnect?.()

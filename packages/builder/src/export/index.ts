/** Output types: one line each. */
import type { OutputSpec } from '../options.ts'
import { Attributes, exportErrors } from './attrs.ts'
import type { Exporter, PreparedOutput } from './exporter.ts'
import { localExporter, tarExporter } from './files.ts'
import { registryExporter, storeExporter } from './image.ts'
import { dockerExporter, ociExporter } from './oci.ts'

const cacheOnly: Exporter = {
  type: 'cacheonly',
  attributes: [],
  parse(values) {
    const { warnings } = new Attributes('cacheonly', [], values)
    return {
      type: 'cacheonly',
      title: 'keeping the result in the cache',
      warnings,
      epoch: 'own',
      annotations: undefined,
      pushByDigest: false,
      export: async () => ({ type: 'cacheonly' }),
    }
  },
}

/** By type. */
export const exporters: { readonly [T in OutputSpec['type']]: Exporter } = {
  oci: ociExporter,
  docker: dockerExporter,
  tar: tarExporter,
  local: localExporter,
  image: storeExporter,
  registry: registryExporter,
  cacheonly: cacheOnly,
}

/** Checks an output. @throws BuildError OUTPUT_INVALID */
export function prepareOutput(spec: OutputSpec): PreparedOutput {
  const exporter = (exporters as Record<string, Exporter | undefined>)[spec.type]
  if (!Object.hasOwn(exporters, spec.type) || !exporter)
    throw exportErrors.outputInvalid([
      `unknown output type ${JSON.stringify(spec.type)}: expected one of ${Object.keys(exporters).join(', ')}`,
    ])
  return exporter.parse(new Map(Object.entries(spec.attrs)))
}

export async function* readArchive(): AsyncGenerator<any> { throw new Error('archive stub') }

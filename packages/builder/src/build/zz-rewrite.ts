export async function rewriteLayer(..._a: any[]): Promise<any> { throw new Error('stub') }

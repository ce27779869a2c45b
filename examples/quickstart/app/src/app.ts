import { greeting } from './greeting.ts'

const text = greeting(new Date())
const place = (globalThis as { document?: { querySelector(name: string): { textContent: string } } }).document

if (place) place.querySelector('#greeting').textContent = text
else console.log(text)

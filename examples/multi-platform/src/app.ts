console.log('bundled once for all platforms')

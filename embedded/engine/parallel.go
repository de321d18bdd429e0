package engine

import (
	"runtime"
	"sync"
)

// maxWorkers is how many goroutines one search runs at once.
func maxWorkers() int { return min(runtime.GOMAXPROCS(0), 4) }

// inParts cuts n things into as many parts as there are workers and runs f over all
// parts at once. A panic in f goes on in the caller, where it is the end of one request
// and not of the process.
func inParts(n, workers int, f func(worker, from, to int)) {
	panics := make([]any, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			defer func() { panics[w] = recover() }()
			f(w, n*w/workers, n*(w+1)/workers)
		})
	}
	wg.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
}

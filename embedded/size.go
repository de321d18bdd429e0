package embedded

import (
	"fmt"
	"strings"
)

// pageSize is the unit in which the real server's store grows; sizes are told in it, because clients see them.
const pageSize = 4096

// perEntry is what the store of the real server needs for a document beside its text.
const perEntry = 16

// rawSize estimates the room that the documents would need on disk.
func (x *index) rawSize() uint64 {
	n := uint64(max(x.engine.Len(), 0))
	if n == 0 {
		return 0
	}
	pages := (x.engine.RawSize() + n*perEntry + pageSize - 1) / pageSize
	return max(pages, 1) * pageSize
}

// averageSize is the room for one document without its key, which the real server counts with eight bytes.
func (x *index) averageSize() uint64 {
	n, size := uint64(max(x.engine.Len(), 0)), x.rawSize()
	if n == 0 {
		return 0
	}
	return (size - min(size, n*8)) / n
}

// humanSize prints a size with a binary unit and at most two decimals.
func humanSize(n uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, u := float64(n), 0
	for f >= 1024 && u < len(units)-1 {
		f /= 1024
		u++
	}
	text := strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.2f", f), "0"), ".")
	return text + " " + units[u]
}

package tests

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/tests/fleet"
)

func TestMain(m *testing.M) {
	code := m.Run()
	fleet.Cleanup()
	os.Exit(code)
}

const docsPath, searchPath = "/indexes/films/documents", "/indexes/films/search"

// made is n documents with ids from first on: a word of their own, one of four
// genres, a number, and a word that all have.
func made(first, n int) string {
	var b strings.Builder
	for i := first; i < first+n; i++ {
		sep := ","
		if i == first {
			sep = "["
		}
		fmt.Fprintf(&b, `%s{"id":%d,"title":"%s shared","genre":"g%d","n":%d}`, sep, i, ownWord(i), i%4, i)
	}
	return b.String() + "]"
}

// ownWord is a word of letters that only document i has, far enough from the
// others for a phrase.
func ownWord(i int) string {
	word := []byte("zq")
	for range 6 {
		word = append(word, byte('a'+i%16))
		i /= 16
	}
	return string(word)
}

type page struct {
	Hits []struct {
		ID    int
		Title string
		N     int
	}
	EstimatedTotalHits int
	FacetDistribution  map[string]map[string]int
}

func (p *page) ids() []int {
	out := make([]int, len(p.Hits))
	for i, h := range p.Hits {
		out[i] = h.ID
	}
	return out
}

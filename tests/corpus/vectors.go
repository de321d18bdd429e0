package corpus

import (
	"encoding/json"
	"hash/fnv"
	"math"
)

// Embedder is the name of the embedder of variants with vectors.
const Embedder = "own"

// vector is a unit-free vector made of a text: near for texts that begin alike.
// The numbers have few digits, so that every server reads the same.
func vector(seed string, dimensions int) []float64 {
	out := make([]float64, dimensions)
	for i := range out {
		h := fnv.New32a()
		_, _ = h.Write([]byte(seed)) // never fails
		_, _ = h.Write([]byte{byte(i)})
		out[i] = math.Round((float64(h.Sum32()%2001)/1000-1)*64) / 64
	}
	out[0] += 1.0 / 128 // never all zeros
	return out
}

// Documents are the set's documents as they are loaded under a variant: with
// vectors where it has an embedder. One in nine opts out, one in seven has two.
func (s *Set) Documents(v Variant) []json.RawMessage {
	if v.Dimensions == 0 {
		return s.Docs
	}
	out := make([]json.RawMessage, len(s.Docs))
	for i, doc := range s.Docs {
		var own any
		switch {
		case i%9 == 4:
			own = json.RawMessage("null")
		case i%7 == 3 && !v.Single:
			own = [][]float64{vector(string(doc[:min(len(doc), 40)]), v.Dimensions), vector(text(i), v.Dimensions)}
		default:
			own = vector(string(doc[:min(len(doc), 40)]), v.Dimensions)
		}
		vectors := text(map[string]any{Embedder: own})
		if i%5 == 1 && i%9 != 4 {
			vectors = text(map[string]any{Embedder: map[string]any{"embeddings": own, "regenerate": false}})
		}
		joined := append([]byte(nil), doc[:len(doc)-1]...)
		out[i] = append(joined, `,"_vectors":`+vectors+`}`...)
	}
	return out
}

// wanted is a vector to search for.
func (g *generator) wanted() []float64 {
	doc := pick(g, g.set.Docs)
	v := vector(string(doc[:min(len(doc), 40)]), g.variant.Dimensions)
	if g.chance(2) {
		v[g.IntN(len(v))] += 0.25
	}
	return v
}

func hybrid(g *generator) Question {
	ratio := pick(g, []any{nil, 0.1, 0.25, 0.5, 0.75, 0.9, 0, 1})
	var filter any
	if g.chance(3) {
		filter = g.filter(1)
	}
	return g.search(members{"q", g.query(), "vector", g.wanted(), "hybrid", json.RawMessage(members{"embedder", Embedder, "semanticRatio", ratio}.json()), "filter", filter},
		g.page(), members{"attributesToRetrieve", g.few(), "showRankingScore", true})
}

func semantic(g *generator) Question {
	var filter, vectors, sort any
	if g.chance(3) {
		filter = g.filter(1)
	}
	if g.chance(3) {
		vectors = true
	}
	if g.chance(4) {
		sort = g.sorting()
	}
	return g.search(members{"vector", g.wanted(), "hybrid", json.RawMessage(members{"embedder", Embedder, "semanticRatio", pick(g, []any{nil, 1})}.json()),
		"filter", filter, "sort", sort, "retrieveVectors", vectors}, g.page(), members{"attributesToRetrieve", g.few(), "showRankingScoreDetails", g.chance(2)})
}

func similar(g *generator) Question {
	var filter, threshold any
	if g.chance(3) {
		filter = g.filter(1)
	}
	if g.chance(4) {
		threshold = float64(g.IntN(100)) / 100
	}
	var page members
	if g.chance(2) {
		page = members{"offset", g.IntN(20), "limit", 1 + g.IntN(15)}
	}
	return g.post("/similar", members{"id", g.doc()[g.set.Key], "embedder", Embedder, "filter", filter, "rankingScoreThreshold", threshold}, page,
		members{"attributesToRetrieve", g.few(), "showRankingScore", true})
}

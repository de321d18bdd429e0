package engine

import (
	"context"
	"fmt"
	"math"

	"github.com/RoaringBitmap/roaring/v2"
)

// chooseKind decides what orders the hits and checks what vectors need.
func (s *search) chooseKind() error {
	q := s.q
	blank := isBlank(q.Q)
	if q.Hybrid == nil {
		if q.Vector != nil {
			return &Error{Code: "missing_search_hybrid", Message: "Invalid request: missing `hybrid` parameter when `vector` or `media` are present."}
		}
		s.kind = keywordKind(blank)
		return nil
	}
	ratio := q.Hybrid.SemanticRatio
	switch {
	case ratio == 0:
		s.kind = keywordKind(blank)
		return nil
	case blank && q.Vector == nil:
		s.kind = byPlaceholder
		return nil
	case ratio == 1 || blank:
		s.kind = byVector
	default:
		s.kind = byHybrid
	}
	if err := s.c.checkVector(q.Hybrid.Embedder, q.Vector, "invalid_search_embedder"); err != nil {
		return err
	}
	if q.Vector == nil && s.kind == byVector {
		return &Error{Code: "vector_embedding_error", Message: "Error while generating embeddings: user error: attempt to embed the following text in a configuration where embeddings must be user provided:\n  - `" + q.Q + "`"}
	}
	return nil
}

func keywordKind(blank bool) queryKind {
	if blank {
		return byPlaceholder
	}
	return byKeywords
}

func isBlank(s string) bool {
	for _, r := range s {
		switch r {
		case ' ', '\t', '\n', '\r', '\v', '\f', 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000:
		default:
			if r < 0x2000 || r > 0x200A {
				return false
			}
		}
	}
	return true
}

func (c *core) checkVector(embedder string, vector []float32, code string) error {
	e, ok := c.cfg.Embedders[embedder]
	if !ok {
		return &Error{Code: code, Message: fmt.Sprintf("Cannot find embedder with name `%s`.", embedder)}
	}
	if vector != nil && len(vector) != e.Dimensions {
		return &Error{Code: "invalid_vector_dimensions", Message: fmt.Sprintf("Invalid vector dimensions: expected: `%d`, found: `%d`.", e.Dimensions, len(vector))}
	}
	return nil
}

// similarities compares a vector with the nth of those of the documents, or with
// all when nth is negative; then a document counts by its nearest. Every vector is looked at, so the result does
// not depend on which other documents there are.
func (c *core) similarities(embedder string, vector []float32, docs *roaring.Bitmap, nth int) map[uint32]float32 {
	out := make(map[uint32]float32)
	have := c.embedded[embedder]
	if have == nil {
		return out
	}
	e := c.cfg.Embedders[embedder]
	if e.BinaryQuantized {
		vector = append([]float32(nil), vector...)
		quantize(vector)
	}
	norm := length(vector)
	it := roaring.And(have, docs).Iterator()
	for it.HasNext() {
		doc := it.Next()
		best := float32(-1)
		list := c.docs[doc].vectors[embedder].list
		if nth >= len(list) {
			continue
		}
		if nth >= 0 {
			list = list[nth : nth+1]
		}
		for _, v := range list {
			best = max(best, cosine(vector, norm, v))
		}
		out[doc] = e.shift(best)
	}
	return out
}

func length(v []float32) float64 {
	sum := 0.0
	for _, f := range v {
		sum += float64(f) * float64(f)
	}
	return math.Sqrt(sum)
}

// cosine is the similarity of two vectors between 0 and 1.
func cosine(a []float32, aLen float64, b []float32) float32 {
	dot, bb := 0.0, 0.0
	for i := range b {
		dot += float64(a[i]) * float64(b[i])
		bb += float64(b[i]) * float64(b[i])
	}
	if aLen == 0 || bb == 0 {
		return 0
	}
	return float32(min(max((1+dot/(aLen*math.Sqrt(bb)))/2, 0), 1))
}

// shift applies the configured distribution of scores.
func (e *Embedder) shift(score float32) float32 {
	d := e.Distribution
	if d == nil || d.Sigma <= 0 {
		return score
	}
	// The normal distribution is approximated by a logistic one.
	z := (float64(score) - d.Mean) / (d.Sigma * math.Sqrt(3) / math.Pi)
	return float32(min(max(1/(1+math.Exp(-z)), 0), 1))
}

// goodEnough is the weighted score from which keyword hits make a semantic
// search unnecessary.
const goodEnough = 0.45

// hybrid merges keyword and vector hits.
func (s *search) hybrid(ctx context.Context, p page) (*outcome, error) {
	ratio := s.q.Hybrid.SemanticRatio
	whole := page{length: p.from + p.length, exhaustive: p.exhaustive}
	words, err := s.order(ctx, whole, byKeywords)
	if err != nil {
		return nil, err
	}
	enough := len(words.hits) >= whole.length
	for i := range words.hits {
		enough = enough && words.hits[i].score*(1-ratio) >= goodEnough
	}
	if enough || s.q.Vector == nil { // texts cannot be turned into vectors here
		return &outcome{hits: cutHits(words.hits, p), total: words.total}, nil
	}
	g := s.g // hits of both kinds are marked by the words of the query
	vectors, err := s.order(ctx, whole, byVector)
	if err != nil {
		return nil, err
	}
	s.g = g
	return s.mergeHybrid(words, vectors, p), nil
}

// mergeHybrid joins keyword and vector hits, each document once.
func (s *search) mergeHybrid(words, vectors *outcome, p page) *outcome {
	ratio := s.q.Hybrid.SemanticRatio
	out := &outcome{total: roaring.Or(words.total, vectors.total), semantic: true}
	f, field := s.c.facetOf(s.distinct())
	excluded := roaring.New()
	a, b := vectors.hits, words.hits
	for seen := 0; seen < p.from+p.length && (len(a) > 0 || len(b) > 0); {
		var next scored
		if len(b) == 0 || len(a) > 0 && compareHybrid(a[0].scores, ratio, b[0].scores, 1-ratio) >= 0 {
			next, a = a[0], a[1:]
		} else {
			next, b = b[0], b[1:]
		}
		if !excluded.CheckedAdd(next.doc) {
			continue
		}
		if d := s.c.docs[next.doc].facet(field); f != nil && d != nil {
			for _, v := range d.values {
				excluded.Or(f.values[v].docs)
			}
		}
		if seen++; seen > p.from {
			out.hits = append(out.hits, next)
		}
	}
	if f != nil { // like a server: what was skipped does not count any more
		out.total.AndNot(excluded)
		for i := range out.hits {
			out.total.Add(out.hits[i].doc)
		}
	}
	return out
}

func cutHits(hits []scored, p page) []scored {
	from := min(p.from, len(hits))
	return hits[from:min(len(hits), from+p.length)]
}

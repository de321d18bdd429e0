package actors

import (
	"strings"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/merge"
	"github.com/miroir-search/miroir/rawjson"
)

// searchParams is what the proxy has to know of a search. Whatever it does not
// name goes to the nodes as the client wrote it.
type searchParams struct {
	spec     merge.SearchSpec
	filter   []byte // raw, nil when absent
	retrieve []byte // attributesToRetrieve, raw, nil when absent
	words    bool   // there is something to search for
	sorted   bool
	hybrid   []byte // raw, nil when absent
	vector   []byte // raw, nil when absent
	facets   []byte // raw, nil when absent
	media    bool
	// threshold says that hits must have a least score.
	threshold bool
	kind      searchKind
	ratio     float32 // of a hybrid search
	wordless  bool    // the embedder cannot make a vector of words
	// highlight and crop are attributesToHighlight and attributesToCrop, raw; nil
	// when absent.
	highlight, crop []byte
	// distinctToo is retrieved from legs beyond what the client retrieves.
	distinctToo string
	odd         bool // something is not of its type: a node will say so
}

// parseSearch reads what matters of a search body, which is valid JSON.
func parseSearch(body []byte, iv *indexView) searchParams {
	p := searchParams{spec: merge.SearchSpec{
		Limit: 20, Page: 1, HitsPerPage: 20, MaxTotalHits: iv.settings.Pagination.MaxTotalHits,
		FacetOrder: iv.facetOrder, MaxValuesPerFacet: iv.settings.Faceting.MaxValuesPerFacet,
		Strip: iv.hidden, HiddenSorts: iv.hidden,
	}}
	if iv.settings.DistinctAttribute != nil {
		p.spec.Distinct = *iv.settings.DistinctAttribute
	}
	err := rawjson.EachMember(body, func(key, value []byte) bool {
		name, err := rawjson.Unquote(key)
		if err == nil && string(value) != "null" {
			p.member(name, value)
		}
		return true
	})
	p.odd = p.odd || err != nil
	p.seeKind(iv.settings)
	p.seeDistinct()
	return p
}

// searchKind is what orders the hits of a search.
type searchKind uint8

const (
	byWords    searchKind = iota // or by nothing but sort rules
	bySemantic                   // by similarity
	byBoth                       // a list of each, joined
)

// seeKind finds out the kind of search, and what a node would refuse before it
// looks at anything else.
func (p *searchParams) seeKind(settings *api.Settings) {
	if p.hybrid == nil {
		p.odd = p.odd || p.vector != nil || p.media
		return
	}
	p.ratio = api.DefaultSemanticRatio
	if raw, ok := rawjson.Get(p.hybrid, "semanticRatio"); ok {
		f, ok := rawjson.ParseFloat(raw)
		p.ratio, p.odd = float32(f), p.odd || !ok || f < 0 || f > 1
	}
	switch {
	case p.ratio == 0 || !p.words && p.vector == nil:
		return
	case p.ratio == 1 || !p.words:
		p.kind = bySemantic
	default:
		p.kind = byBoth
	}
	p.spec.SemanticHits = true
	p.seeEmbedder(settings)
}

// seeEmbedder finds out whether the embedder is there and can take the vector.
func (p *searchParams) seeEmbedder(settings *api.Settings) {
	raw, _ := rawjson.Get(p.hybrid, "embedder")
	name, err := rawjson.AppendUnquoted(nil, raw)
	embedder, known := settings.Embedders[string(name)]
	p.odd = p.odd || err != nil || !known || p.media
	if p.vector == nil || p.odd {
		p.wordless = embedder.Source.Value() == api.SourceUserProvided
		return
	}
	n := 0
	err = rawjson.EachElement(p.vector, func(v []byte) bool {
		n++
		p.odd = p.odd || v[0] != '-' && (v[0] < '0' || v[0] > '9')
		return true
	})
	want, fixed := embedder.Dimensions.Get()
	p.odd = p.odd || err != nil || fixed && n != want
}

// seeDistinct makes sure that legs show the values that hits are made distinct
// by, although the client may not want to see them.
func (p *searchParams) seeDistinct() {
	if p.odd || p.spec.Distinct == "" || p.retrieve == nil {
		return
	}
	top, _, _ := strings.Cut(p.spec.Distinct, ".")
	shown, neighbour := false, false
	_ = rawjson.EachElement(p.retrieve, func(v []byte) bool {
		text, err := rawjson.AppendUnquoted(nil, v)
		p.odd = p.odd || err != nil
		name := string(text)
		shown = shown || name == "*" || name == p.spec.Distinct || strings.HasPrefix(p.spec.Distinct, name+".")
		neighbour = neighbour || strings.HasPrefix(name, top+".")
		return true
	}) // the list is part of valid JSON
	if shown {
		return
	}
	p.distinctToo = p.spec.Distinct
	if !neighbour {
		p.spec.Unasked = merge.Unasked{Name: top, Formatted: p.formats(top)}
	}
}

// formats reports whether the client has an attribute, or something inside it,
// highlighted or cropped.
func (p *searchParams) formats(top string) bool {
	found := false
	for _, list := range [][]byte{p.highlight, p.crop} {
		_ = rawjson.EachElement(list, func(v []byte) bool {
			text, err := rawjson.AppendUnquoted(nil, v)
			p.odd = p.odd || err != nil
			name, _, _ := strings.Cut(string(text), ":") // a length to crop to
			found = found || name == "*" || name == top || strings.HasPrefix(name, top+".")
			return true
		}) // the list is part of valid JSON, or there is none
	}
	return found
}

// flag reads true or false. What is neither goes to a node as it is, which refuses it.
func (p *searchParams) flag(value []byte, into *bool) {
	*into = string(value) == "true"
	p.odd = p.odd || !*into && string(value) != "false"
}

func (p *searchParams) member(name string, value []byte) {
	switch name {
	case "offset":
		p.count(value, &p.spec.Offset)
	case "limit":
		p.count(value, &p.spec.Limit)
	case "page":
		p.spec.PageMode = true
		p.count(value, &p.spec.Page)
	case "hitsPerPage":
		p.spec.PageMode = true
		p.count(value, &p.spec.HitsPerPage)
	case "attributesToHighlight":
		p.list(value, &p.highlight)
	case "attributesToCrop":
		p.list(value, &p.crop)
	case "attributesToRetrieve":
		p.list(value, &p.retrieve)
	case "facets":
		p.list(value, &p.facets)
		p.spec.HasFacets = value[0] == '['
	case "showRankingScore":
		p.flag(value, &p.spec.ShowRankingScore)
	case "showRankingScoreDetails":
		p.flag(value, &p.spec.ShowRankingScoreDetails)
	default:
		p.asked(name, value)
	}
}

// asked reads what decides which hits there are, and in which order.
func (p *searchParams) asked(name string, value []byte) {
	switch name {
	case "q":
		p.words = value[0] == '"' && strings.TrimSpace(string(value[1:len(value)-1])) != ""
	case "filter":
		p.filter = value
	case "sort":
		p.sorted = value[0] == '[' && string(value) != "[]"
	case "vector":
		p.vector = value
	case "hybrid":
		p.hybrid = value
	case "media":
		p.media = true
	case "rankingScoreThreshold":
		p.threshold = true
	case "distinct":
		text, err := rawjson.AppendUnquoted(nil, value)
		p.odd = p.odd || err != nil
		p.spec.Distinct = string(text)
	}
}

// list takes a list as it is.
func (p *searchParams) list(value []byte, into *[]byte) {
	*into = value
	p.odd = p.odd || value[0] != '['
}

func (p *searchParams) count(value []byte, into *int) {
	n, ok := rawjson.ParseInt(value)
	if !ok || n < 0 {
		p.odd = true
		return
	}
	*into = int(n)
}

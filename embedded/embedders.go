package embedded

import (
	"fmt"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded/engine"
	"github.com/miroir-search/miroir/rawjson"
)

// Embedders that call a service may be set, because settings are kept and shown as they are. Whatever would have to
// call the service is refused: nothing here can.

const cannotEmbed = "an embedded node cannot call the service of an embedder: vectors must come with the documents and with the queries"

// dimensions of an embedder, where they are known without asking the service.
func dimensions(e api.Embedder) (int, bool) {
	if n, ok := e.Dimensions.Get(); ok {
		return n, true
	}
	if e.Source.Value() != "openAi" {
		return 0, false
	}
	switch e.Model.Value() {
	case "", "text-embedding-3-small", "text-embedding-ada-002":
		return 1536, true
	case "text-embedding-3-large":
		return 3072, true
	default:
		return 0, false
	}
}

// callsService tells whether vectors are made by somebody else.
func callsService(e api.Embedder) bool { return e.Source.Value() != api.SourceUserProvided }

func unembeddable(name, why string) *api.Error {
	return api.NewError(api.CodeNotSupported, fmt.Sprintf("Embedder `%s`: %s; %s", name, why, cannotEmbed))
}

// checkNewEmbedders refuses settings that would make the node call a service now.
func checkNewEmbedders(x *index, s *api.Settings) *api.Error {
	for _, name := range sortedKeys(s.Embedders) {
		e := s.Embedders[name]
		if !callsService(e) {
			continue
		}
		if _, known := dimensions(e); !known {
			return unembeddable(name, "its dimensions are not given")
		}
		old, had := x.settings.Embedders[name]
		if x.engine.Len() > 0 && (!had || old.Source.Value() != e.Source.Value()) {
			return unembeddable(name, "there are documents already")
		}
	}
	return nil
}

// checkEmbeddable refuses a document that a service would have to embed. stored is what is there, if anything.
func checkEmbeddable(s *api.Settings, id string, doc, stored []byte) *api.Error {
	for _, name := range sortedKeys(s.Embedders) {
		if callsService(s.Embedders[name]) && !bringsVector(doc, name) && !bringsVector(stored, name) {
			return unembeddable(name, "document `"+id+"` has no vector of its own")
		}
	}
	return nil
}

// bringsVector tells whether a document says itself what its vector is, or that it has none.
func bringsVector(doc []byte, embedder string) bool {
	vectors, ok := rawjson.Get(doc, "_vectors")
	if !ok || len(vectors) == 0 || vectors[0] != '{' {
		return false
	}
	own, ok := rawjson.Get(vectors, embedder)
	if !ok || len(own) == 0 || own[0] != '{' {
		return ok
	}
	regenerate, _ := rawjson.Get(own, "regenerate")
	return string(regenerate) != "true"
}

// checkQueryVector refuses a search whose words a service would have to embed.
func (x *index) checkQueryVector(q *engine.Query) *api.Error {
	if q.Hybrid == nil || q.Vector != nil || q.Hybrid.SemanticRatio == 0 || q.Q == "" {
		return nil
	}
	if e, ok := x.settings.Embedders[q.Hybrid.Embedder]; ok && callsService(e) {
		return unembeddable(q.Hybrid.Embedder, "the query has no `vector`")
	}
	return nil
}

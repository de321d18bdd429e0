package http

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/auth"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/rawjson"
)

func (s *Server) searchRoutes() {
	s.route(http.MethodPost, "/indexes/:index/search", ActionSearch, searchPost)
	s.route(http.MethodGet, "/indexes/:index/search", ActionSearch, searchGet)
	s.route(http.MethodPost, "/indexes/:index/facet-search", ActionSearch, facetSearch)
	s.route(http.MethodPost, "/indexes/:index/similar", ActionSearch, similarPost)
	s.route(http.MethodGet, "/indexes/:index/similar", ActionSearch, similarGet)
	s.route(http.MethodPost, "/multi-search", ActionSearch, multiSearch)
}

// searchPost passes the body on as it is: the door asks a node for the words of
// an error in it.
func searchPost(c *call) error {
	body, err := c.jsonBody()
	if err != nil {
		return err
	}
	return c.wordsBeforeIndex(body, search(c, body), func(v api.Value) *api.Error {
		_, bad := api.DecodeSearch(v)
		return bad
	})
}

// wordsBeforeIndex gives the error of a body that is wrong in itself before that
// of an index that is not there, as Meilisearch does. No node was asked then.
func (c *call) wordsBeforeIndex(body []byte, err error, decode func(api.Value) *api.Error) error {
	var e *api.Error
	if !errors.As(err, &e) || e.Code != "index_not_found" {
		return err
	}
	v, wrong := c.parse(body)
	if wrong != nil {
		return wrong
	}
	if bad := decode(v); bad != nil {
		return bad
	}
	return err
}

// searchGet turns the parameters into a body.
func searchGet(c *call) error {
	q, bad := api.ParseSearch(c.query())
	if bad != nil {
		return bad
	}
	body, err := api.Marshal(q)
	if err != nil {
		return err
	}
	return search(c, body)
}

func search(c *call, body []byte) error {
	uid, err := c.indexUID()
	if err != nil {
		return err
	}
	if err := c.checkFilterIn(body, "invalid_search_filter"); err != nil {
		return err
	}
	if body, err = c.withRule(uid, body); err != nil {
		return err
	}
	return c.ask(&messages.Search{IndexUID: uid, Body: body, IncludeMetadata: c.wantsMetadata()})
}

// facetSearch passes the body on like searchPost.
func facetSearch(c *call) error {
	body, err := c.jsonBody()
	if err != nil {
		return err
	}
	uid, err := c.indexUID()
	if err != nil {
		return err
	}
	if err := c.checkFilterIn(body, "invalid_search_filter"); err != nil {
		return err
	}
	ruled, err := c.withRule(uid, body)
	if err != nil {
		return err
	}
	return c.wordsBeforeIndex(body, c.ask(&messages.FacetSearch{IndexUID: uid, Body: ruled}), func(v api.Value) *api.Error {
		_, bad := api.DecodeFacetSearch(v)
		return bad
	})
}

// similarPost passes the body on like searchPost.
func similarPost(c *call) error {
	body, err := c.jsonBody()
	if err != nil {
		return err
	}
	return c.wordsBeforeIndex(body, similar(c, body), func(v api.Value) *api.Error {
		_, bad := api.DecodeSimilar(v)
		return bad
	})
}

// similarGet turns the parameters into a body.
func similarGet(c *call) error {
	q, bad := api.ParseSimilar(c.query())
	if bad != nil {
		return bad
	}
	body, err := api.Marshal(q)
	if err != nil {
		return err
	}
	return similar(c, body)
}

func similar(c *call, body []byte) error {
	uid, err := c.indexUID()
	if err != nil {
		return err
	}
	if err := c.checkFilterIn(body, "invalid_similar_filter"); err != nil {
		return err
	}
	if rule := c.ruleFor(uid); rule != nil {
		return similarUnderRule(c, uid, rule, body)
	}
	return c.ask(&messages.Similar{IndexUID: uid, Body: body})
}

func (c *call) wantsMetadata() bool {
	switch c.c.Request().Header.Get("Meili-Include-Metadata") {
	case "true", "1":
		return true
	default:
		return false
	}
}

// searchesAtOnce bounds how many queries of one multi-search run together.
const searchesAtOnce = 8

func multiSearch(c *call) error {
	body, err := c.jsonBody()
	if err != nil {
		return err
	}
	v, err := c.parse(body)
	if err != nil {
		return err
	}
	if err := c.checkQueries(&v); err != nil {
		return err
	}
	m, bad := api.DecodeMultiSearch(v)
	if bad != nil {
		return bad
	}
	for i := range m.Queries {
		if err := c.checkFilter(m.Queries[i].Filter, "invalid_search_filter"); err != nil {
			return insideQuery(i, err)
		}
		if c.grant.Allowed != nil && !c.grant.Allowed(m.Queries[i].IndexUID) {
			return insideQuery(i, api.InvalidAPIKey())
		}
	}
	if m.Federation != nil {
		return c.ask(&messages.FederatedSearch{Body: c.federatedWithRules(m, v, body), IncludeMetadata: c.wantsMetadata()})
	}
	answers := runQueries(c, m.Queries)
	var results []byte
	var requestUID []byte
	results = append(results, `{"results":[`...)
	for i, a := range answers {
		if failed := answerError(a); failed != nil {
			return insideQuery(i, failed)
		}
		if i > 0 {
			results = append(results, ',')
		}
		results = appendResult(results, m.Queries[i].IndexUID, a.Body, &requestUID)
		c.nodes += a.Nodes
		c.degradeMore(a.Degraded)
	}
	return c.bytes(http.StatusOK, append(results, "]}"...))
}

// runQueries asks all queries. Those behind a failed one may be left unasked: the
// first failure is the answer. The answers take their part of the budget of bodies.
func runQueries(c *call, queries []api.MultiQuery) []*messages.Answer {
	answers := make([]*messages.Answer, len(queries))
	slots := make(chan struct{}, searchesAtOnce)
	var wg sync.WaitGroup
	var failed atomic.Bool
	var mu sync.Mutex
	size := c.held
	for i := range queries {
		slots <- struct{}{}
		if failed.Load() {
			break // what was asked before comes to its end
		}
		wg.Add(1)
		go func() {
			defer func() {
				if reason := recover(); reason != nil { // a panic here has no handler above it
					c.s.metrics.panics.Inc()
					c.s.log.WithField("panic", reason).Error("search of a multi-search panicked")
					answers[i] = nil
				}
				if answerError(answers[i]) != nil {
					failed.Store(true)
				}
				<-slots
				wg.Done()
			}()
			a := oneQuery(c, &queries[i])
			if a != nil && i >= searchesAtOnce { // the first of them cost what searches of their own do
				mu.Lock()
				defer mu.Unlock()
				size += int64(len(a.Body))
				var full *api.Error
				if errors.As(c.hold(size), &full) {
					a = &messages.Answer{Err: full}
				}
			}
			answers[i] = a
		}()
	}
	wg.Wait()
	return answers
}

func oneQuery(c *call, q *api.MultiQuery) *messages.Answer {
	if q.Options != nil {
		return &messages.Answer{Err: api.NewError("invalid_multi_search_federation_options",
			"Using `federationOptions` is not allowed in a non-federated search.\n - Hint: remove `federationOptions` from the query or "+
				"add `federation` to the request.")}
	}
	if rule := c.ruleFor(q.IndexUID); rule != nil {
		q.Filter = auth.JoinFilters(q.Filter, rule)
	}
	body, err := api.Marshal(&q.SearchQuery)
	if err != nil {
		return nil
	}
	return c.s.opts.Door.Read(c.ctx(), &messages.Search{IndexUID: q.IndexUID, Body: body, IncludeMetadata: c.wantsMetadata()})
}

// answerError is the error in an answer, whichever way the door said it.
func answerError(a *messages.Answer) error {
	switch {
	case a == nil:
		return errNoAnswer
	case a.Err != nil:
		return a.Err
	case statusOr(a.Status, http.StatusOK) < http.StatusMultipleChoices:
		return nil
	}
	var e api.Error
	if json.Unmarshal(a.Body, &e) != nil || e.Code == "" {
		return errNoAnswer
	}
	return api.NewError(e.Code, e.Message)
}

// insideQuery says which query an error is about. A missing index is 400 here,
// unlike in a search of its own, but keeps its code.
func insideQuery(i int, err error) error {
	var e *api.Error
	if !errors.As(err, &e) {
		return err
	}
	e = e.Prefixed("Inside `.queries[" + strconv.Itoa(i) + "]`: ")
	if e.Code == "index_not_found" {
		return &statusError{body: e, status: http.StatusBadRequest}
	}
	return e
}

// appendResult appends one result with its index first. All results of one call
// share the request uid of the first.
func appendResult(dst []byte, uid string, body []byte, requestUID *[]byte) []byte {
	dst = append(append(dst, `{"indexUid":`...), api.QuoteJSON(uid)...)
	_, empty := rawjson.ClosingBrace(body)
	at := rawjson.SkipSpace(body, 0)
	if empty || at >= len(body) || body[at] != '{' {
		return append(dst, '}')
	}
	if mine, ok := rawjson.Get(body, "requestUid"); ok {
		if *requestUID == nil {
			*requestUID = mine
		} else if !bytes.Equal(mine, *requestUID) {
			body, at = rawjson.Set(nil, body[at:], "requestUid", *requestUID), 0
		}
	}
	return append(append(dst, ','), body[at+1:]...)
}

// degradeMore notes what one of several answers lacks; the header comes once for
// each different value.
func (c *call) degradeMore(how string) {
	h := c.header()
	if how == "" || slices.Contains(h["X-Miroir-Degraded"], how) {
		return
	}
	h.Add("X-Miroir-Degraded", how)
	c.degraded = strings.Join(h["X-Miroir-Degraded"], " | ")
}

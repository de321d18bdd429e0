package embedded

import (
	"encoding/json"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded/engine"
	"github.com/miroir-search/miroir/payload"
	"github.com/miroir-search/miroir/rawjson"
)

func documentRoutes() []route {
	const base = "/indexes/:index/documents"
	return []route{
		{method: "GET", path: base, action: "documents.get", handle: browseGet},
		{method: "POST", path: base + "/fetch", action: "documents.get", handle: browsePost},
		{method: "POST", path: base, action: "documents.add", handle: func(r *request) (*reply, *api.Error) { return r.write(false) }},
		{method: "PUT", path: base, action: "documents.add", handle: func(r *request) (*reply, *api.Error) { return r.write(true) }},
		{method: "DELETE", path: base, action: "documents.delete", handle: clearDocuments},
		{method: "POST", path: base + "/delete-batch", action: "documents.delete", handle: deleteBatch},
		{method: "POST", path: base + "/delete", action: "documents.delete", handle: deleteByFilter},
		{method: "POST", path: base + "/edit", action: "documents.*", handle: editDocuments},
		{method: "GET", path: base + "/:id", action: "documents.get", handle: getDocument},
		{method: "DELETE", path: base + "/:id", action: "documents.delete", handle: deleteDocument},
	}
}

func getDocument(r *request) (*reply, *api.Error) {
	q, err := api.ParseDocumentView(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	x, err := r.indexOf()
	if err != nil {
		return nil, err
	}
	doc, found := x.engine.View(r.params["id"], q.Fields, q.RetrieveVectors)
	if !found {
		return nil, api.DocumentNotFound(r.params["id"])
	}
	return &reply{status: 200, raw: doc}, nil
}

func browseGet(r *request) (*reply, *api.Error) {
	q, err := api.ParseBrowse(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	return r.browse(q, false)
}

func browsePost(r *request) (*reply, *api.Error) {
	v, err := r.readJSON()
	if err != nil {
		return nil, err
	}
	q, err := api.DecodeBrowse(v)
	if err != nil {
		return nil, err
	}
	return r.browse(q, r.Header.Get("Meili-Proxy-Search") == "true")
}

// browse lists documents; a proxy gets the values they are sorted by too.
func (r *request) browse(q *api.BrowseQuery, proxied bool) (*reply, *api.Error) {
	x, err := r.indexOf()
	if err != nil {
		return nil, err
	}
	if q.UseNetwork != nil && *q.UseNetwork {
		return nil, r.core.refuseNetwork()
	}
	if err := r.core.checkFilter(q.Filter); err != nil {
		return nil, documentError(err)
	}
	docs, ids, total, browseErr := x.engine.Browse(&engine.BrowseQuery{IDs: q.IDs, Filter: filterOf(q.Filter), Sort: q.Sort,
		Fields: q.Fields, Offset: q.Offset, Limit: q.Limit, RetrieveVectors: q.RetrieveVectors})
	if browseErr != nil {
		return nil, documentError(engineError("", browseErr))
	}
	if docs == nil {
		docs = []json.RawMessage{}
	}
	for i := range docs {
		if !proxied {
			break
		}
		extra := append([]byte(`"_federation":{"weightedScoreValues":`), x.browseScores(ids[i], q.Sort)...)
		docs[i] = rawjson.AppendMembers(nil, docs[i], append(extra, '}'))
	}
	return ok(page[json.RawMessage]{Results: docs, Offset: q.Offset, Limit: q.Limit, Total: total})
}

// documentError gives search errors the codes they have on document routes.
func documentError(e *api.Error) *api.Error {
	switch e.Code {
	case "invalid_search_filter":
		return e.WithCode("invalid_document_filter")
	case "invalid_search_sort":
		return e.WithCode("invalid_document_sort")
	default:
		return e
	}
}

// write adds or replaces documents, or merges into them.
func (r *request) write(merge bool) (*reply, *api.Error) {
	uid, err := r.index()
	if err != nil {
		return nil, err
	}
	p, err := api.ParseWriteParams(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	if r.core.legacy && p.Metadata != nil {
		return nil, api.NewError("bad_request", "Unknown parameter `customMetadata`: expected one of `primaryKey`, `csvDelimiter`")
	}
	format, err := documentFormat(r.mediaType(), p.CSVDelimiter != nil)
	if err != nil {
		return nil, err
	}
	body, err := r.readBody()
	if err != nil {
		return nil, err
	}
	docs, err := parseDocuments(body, format, p.Delimiter())
	if err != nil {
		return nil, err
	}
	op := &operation{Kind: opDocuments, Index: uid, PrimaryKey: p.PrimaryKey, Merge: merge, SkipCreation: p.SkipCreation,
		AllowCreate: r.access.mayCreate(), docs: docs}
	d := &api.Details{ReceivedDocuments: api.Some(uint64(docs.len())), IndexedDocuments: api.NullOpt[uint64]()}
	return accepted(r.core.enqueue(api.DocumentAdditionOrUpdate, op, d, p.Metadata))
}

func documentFormat(mediaType string, delimiter bool) (payload.Format, *api.Error) {
	format := payload.JSON
	switch mediaType {
	case "":
		return format, api.MissingContentType(api.DocumentContentTypes()...)
	case api.ContentTypeCSV:
		return payload.CSV, nil
	case api.ContentTypeNDJSON:
		format = payload.NDJSON
	case api.ContentTypeJSON:
	default:
		return format, api.InvalidContentType(mediaType, api.DocumentContentTypes()...)
	}
	if delimiter {
		return format, api.CSVDelimiterWithWrongContentType(mediaType)
	}
	return format, nil
}

func clearDocuments(r *request) (*reply, *api.Error) {
	d := &api.Details{DeletedDocuments: api.NullOpt[uint64]()}
	return r.remove(&operation{Kind: opClear}, d)
}

func deleteDocument(r *request) (*reply, *api.Error) {
	return r.remove(&operation{Kind: opDeleteIDs, IDs: []string{r.params["id"]}}, deletionDetails(1))
}

func deletionDetails(ids int) *api.Details {
	return &api.Details{ProvidedIDs: api.Some(uint64(ids)), DeletedDocuments: api.NullOpt[uint64](),
		OriginalFilter: api.NullOpt[string]()}
}

func deleteBatch(r *request) (*reply, *api.Error) {
	if err := r.readJSONType(); err != nil {
		return nil, err
	}
	body, err := r.readBody()
	if err != nil {
		return nil, err
	}
	ids, parseErr := payload.ParseIDs(body)
	if parseErr != nil {
		return nil, payloadError(parseErr)
	}
	return r.remove(&operation{Kind: opDeleteIDs, IDs: ids}, deletionDetails(len(ids)))
}

func deleteByFilter(r *request) (*reply, *api.Error) {
	var filter api.Value
	err := r.object(api.Field{Name: "filter", Into: api.Raw("invalid_document_filter", &filter), Required: true,
		MissingCode: "missing_document_filter"})
	if err != nil {
		return nil, err
	}
	tree, err := parseFilter(&filter)
	if filter.Kind == api.Null { // no filter elsewhere, an error here
		err = api.NewError("invalid_document_filter", "Invalid syntax for the filter parameter: `expected String, Array, found: null`.")
	}
	if err != nil {
		return nil, documentError(err)
	}
	if tree == nil {
		return nil, api.EmptyFilter()
	}
	text := filter.String()
	d := deletionDetails(0)
	d.OriginalFilter = api.Some(text)
	return r.remove(&operation{Kind: opDeleteFilter, Filter: json.RawMessage(text)}, d)
}

// remove enqueues a deletion.
func (r *request) remove(op *operation, d *api.Details) (*reply, *api.Error) {
	uid, err := r.index()
	if err != nil {
		return nil, err
	}
	metadata, err := api.ParseMetadata(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	if r.core.legacy {
		metadata = nil // ignored by old versions
	}
	op.Index = uid
	return accepted(r.core.enqueue(api.DocumentDeletion, op, d, metadata))
}

func editDocuments(r *request) (*reply, *api.Error) {
	var filter, context *api.Value
	var function string
	err := r.object(api.Field{Name: "filter", Into: api.Maybe("invalid_document_filter", &filter, api.Raw)},
		api.Field{Name: "context", Into: api.Maybe("invalid_document_edition_context", &context, api.Raw)},
		api.Field{Name: "function", Into: api.Text("invalid_document_edition_function_filter", &function), Required: true,
			MissingCode: "missing_document_edition_function"})
	if err != nil {
		return nil, err
	}
	if err := r.core.require("editDocumentsByFunction", "Using the documents edit route"); err != nil {
		return nil, err
	}
	return nil, api.NewError(api.CodeNotSupported, "an embedded node cannot run functions over documents")
}

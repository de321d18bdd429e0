// Package tests looks at Miroir from outside: the binary started as a user
// would, nodes in processes of their own that are killed, frozen and restarted,
// and the official client. What the answers must be comes from the documents
// themselves or from one node that holds them all.
package tests

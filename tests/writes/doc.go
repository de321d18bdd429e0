// Package writes holds black-box tests of writes over HTTP: every kind of body
// and of bad document compared with one server, and which writes go through when
// nodes are dead. Miroir and its embedded nodes run in the test's own process.
package writes

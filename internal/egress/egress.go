// Package egress owns every connection that leaves this process. A Dialer has
// one of two profiles: Admin, for addresses that an administrator typed (model
// connections), and Untrusted, for anything that came from a user, a model or
// a document. Untrusted decides on the concrete address after the name was
// resolved, at the moment of connecting, so that no name and no redirect can
// lead inside. No other package dials, and none uses net/http's clients.
package egress

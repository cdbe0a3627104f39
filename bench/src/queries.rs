//! The questions that are asked, in the words of each server. The peer's use aliases, so that both
//! answer in one shape.

/// The nested page, as our readers write it.
pub(crate) const LIST: &str = "{ leads(first: 50, orderBy: [{field: CREATED_AT, direction: DESC}]) \
     { nodes { id name status score source createdAt company { id name } \
     contact { id fullName email } deals(first: 10) { nodes { id title value currency status \
     stage { id name } } } } } }";

/// One record by its id.
pub(crate) const SINGLE: &str = "query($id: ID!) { lead(id: $id) \
     { id name status score company { id name } } }";

/// How answers begin that hold rows.
pub(crate) const LIST_PREFIX: &str = "{\"data\":{\"leads\":{\"nodes\":[{";
pub(crate) const SINGLE_PREFIX: &str = "{\"data\":{\"lead\":{";

/// [`LIST`] for PostGraphile. `rows` narrows the condition on leads; deleted rows are left out, as
/// we do, which also lets it use our indexes.
pub(crate) fn peer_list(tenant_id: &str, rows: &str) -> String {
    let order = "orderBy: [CREATED_AT_DESC, TENANT_ID_DESC, ROW_ID_DESC]";
    format!(
        "{{ leads: allLeads(first: 50, {order}, condition: {{tenantId: \"{tenant_id}\", \
         deletedAt: null{rows}}}) {{ nodes {{ id: rowId name status score source createdAt \
         company: companyByTenantIdAndCompanyId {{ id: rowId name }} \
         contact: contactByTenantIdAndContactId {{ id: rowId fullName email }} \
         deals: dealsByTenantIdAndLeadId(first: 10, {order}, condition: {{deletedAt: null}}) \
         {{ nodes {{ id: rowId title value currency status \
         stage: pipelineStageByTenantIdAndStageId {{ id: rowId name }} }} }} }} }} }}"
    )
}

/// The condition that shows PostGraphile the rows of one user, as a row rule shows them to us.
pub(crate) fn peer_rows_of(user_id: &str) -> String {
    format!(", assignedTo: \"{user_id}\"")
}

/// [`SINGLE`] for PostGraphile.
pub(crate) fn peer_single(tenant_id: &str) -> String {
    format!(
        "query($id: UUID!) {{ lead: leadByTenantIdAndRowId(tenantId: \"{tenant_id}\", rowId: $id) \
         {{ id: rowId name status score company: companyByTenantIdAndCompanyId {{ id: rowId name }} \
         }} }}"
    )
}

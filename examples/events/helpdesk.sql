-- The event log of a help desk, as events of tickets: one JSON object on each line.
--
-- Reads a table helpdesk(case_id, activity, timestamp) whose rows stand in the order of the file:
-- send.sh makes it with the sqlite3 shell, and the tests make it in the same way.
--
-- The log says when something was done to a case, and by a number what, but not what the numbers
-- mean. So a case's place in its own story decides: the first row opens it, the last one closes it,
-- the second is the first answer, and the rest are updates. The one case of two rows has an end and
-- no answer before it: nothing is counted as one.

WITH
-- 127 rows are the same as another: what names a row is its line (the first is the header).
lines AS (
  SELECT rowid + 1 AS line, case_id, activity, timestamp AS local FROM helpdesk
),
-- Times are those of a clock on a wall in Italy: an hour ahead of UTC, and two in summer, which lasts
-- from the last Sunday of March to that of October. Of the hour that comes twice the first is taken.
timed AS (
  SELECT line, case_id, activity,
    replace(local, ' ', 'T') || CASE
      WHEN local >= date(substr(local, 1, 4) || '-03-25', 'weekday 0') || ' 02:00:00'
       AND local < date(substr(local, 1, 4) || '-10-25', 'weekday 0') || ' 03:00:00'
      THEN '+02:00' ELSE '+01:00' END AS at
  FROM lines
),
placed AS (
  SELECT line, case_id, activity, at,
    unixepoch(at) AS seconds,
    row_number() OVER story AS place,
    count(*) OVER (PARTITION BY case_id) AS places,
    first_value(unixepoch(at)) OVER story AS opened
  FROM timed
  WINDOW story AS (PARTITION BY case_id ORDER BY unixepoch(at), line)
),
told AS (
  SELECT *, CASE
    WHEN place = 1 THEN 'ticket.created'
    WHEN place = places THEN 'ticket.resolved'
    WHEN place = 2 THEN 'ticket.first_reply'
    ELSE 'ticket.updated' END AS event_type
  FROM placed
)
SELECT json_object(
  'id', 'helpdesk-' || line,
  'module', 'tickets',
  'eventType', event_type,
  'occurredAt', at,
  'payload', json(CASE event_type
    WHEN 'ticket.first_reply' THEN json_object(
      'caseId', case_id, 'activity', activity, 'responseSec', seconds - opened)
    WHEN 'ticket.resolved' THEN json_object(
      'caseId', case_id, 'activity', activity, 'handleSec', seconds - opened)
    ELSE json_object('caseId', case_id, 'activity', activity) END)
) FROM told ORDER BY line;

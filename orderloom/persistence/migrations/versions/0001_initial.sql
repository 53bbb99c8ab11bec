CREATE SEQUENCE order_number START WITH 100001;

CREATE TABLE flows (
    hash TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    document JSONB NOT NULL,
    body BYTEA NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_flows PRIMARY KEY (hash)
);

CREATE UNIQUE INDEX uq_flows_version ON flows (name, version);

CREATE TABLE idempotency (
    order_id TEXT NOT NULL,
    key TEXT NOT NULL,
    input_hash BYTEA NOT NULL,
    answer JSONB NOT NULL,
    CONSTRAINT pk_idempotency PRIMARY KEY (order_id, key)
);

CREATE TABLE intake (
    id TEXT NOT NULL,
    position BIGINT GENERATED ALWAYS AS IDENTITY,
    kind TEXT NOT NULL,
    type TEXT NOT NULL,
    source TEXT NOT NULL,
    idempotency_key TEXT,
    external_id TEXT,
    body_hash BYTEA NOT NULL,
    order_id TEXT NOT NULL,
    body BYTEA NOT NULL,
    key_id TEXT NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    business_at TIMESTAMP WITH TIME ZONE,
    status TEXT NOT NULL,
    attempts SMALLINT DEFAULT '0' NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    answer JSONB,
    CONSTRAINT pk_intake PRIMARY KEY (id),
    CONSTRAINT uq_intake_position UNIQUE (position)
);

CREATE INDEX ix_intake_order ON intake (order_id, position);

CREATE INDEX ix_intake_undelivered ON intake (due_at) WHERE status = 'received';

CREATE UNIQUE INDEX uq_intake_external ON intake (source, type, external_id) WHERE external_id IS NOT NULL;

CREATE UNIQUE INDEX uq_intake_idempotency ON intake (source, idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE TABLE journal (
    order_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    id TEXT NOT NULL,
    source TEXT NOT NULL,
    type TEXT NOT NULL,
    time TIMESTAMP WITH TIME ZONE NOT NULL,
    data JSONB NOT NULL,
    cause TEXT NOT NULL,
    CONSTRAINT pk_journal PRIMARY KEY (order_id, seq)
);

CREATE UNIQUE INDEX uq_journal_event ON journal (order_id, source, id);

CREATE TABLE location_groups (
    id TEXT NOT NULL,
    CONSTRAINT pk_location_groups PRIMARY KEY (id)
);

CREATE TABLE locations (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT DEFAULT 'warehouse' NOT NULL,
    country TEXT NOT NULL,
    latitude FLOAT,
    longitude FLOAT,
    active BOOLEAN DEFAULT 'true' NOT NULL,
    CONSTRAINT pk_locations PRIMARY KEY (id)
);

CREATE TABLE outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    order_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    position BIGINT,
    CONSTRAINT pk_outbox PRIMARY KEY (id),
    CONSTRAINT uq_outbox_position UNIQUE (position)
);

CREATE INDEX ix_outbox_unpublished ON outbox (id) WHERE position IS NULL;

CREATE TABLE persons (
    id TEXT NOT NULL,
    channel_id TEXT NOT NULL,
    lookup BYTEA,
    service BYTEA NOT NULL,
    statutory BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_persons PRIMARY KEY (id)
);

CREATE UNIQUE INDEX uq_persons_lookup ON persons (channel_id, lookup) WHERE lookup IS NOT NULL;

CREATE TABLE products (
    sku TEXT NOT NULL,
    name TEXT NOT NULL,
    tax_category TEXT DEFAULT 'standard' NOT NULL,
    active BOOLEAN DEFAULT 'true' NOT NULL,
    CONSTRAINT pk_products PRIMARY KEY (sku)
);

CREATE TABLE releases (
    position BIGINT GENERATED ALWAYS AS IDENTITY,
    hash TEXT NOT NULL,
    pin JSONB NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_releases PRIMARY KEY (hash)
);

CREATE TABLE stock_changes (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    location_id TEXT NOT NULL,
    sku TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    cause TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_stock_changes PRIMARY KEY (id)
);

CREATE TABLE channels (
    id TEXT NOT NULL,
    policy JSONB NOT NULL,
    release TEXT,
    CONSTRAINT pk_channels PRIMARY KEY (id),
    CONSTRAINT fk_channels_release_releases FOREIGN KEY(release) REFERENCES releases (hash)
);

CREATE TABLE group_stock (
    group_id TEXT NOT NULL,
    sku TEXT NOT NULL,
    on_hand INTEGER NOT NULL,
    reserved INTEGER DEFAULT '0' NOT NULL,
    safety INTEGER DEFAULT '0' NOT NULL,
    future INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_group_stock PRIMARY KEY (group_id, sku),
    CONSTRAINT ck_group_stock_not_negative CHECK (on_hand >= 0 AND reserved >= 0 AND safety >= 0 AND future >= 0),
    CONSTRAINT fk_group_stock_group_id_location_groups FOREIGN KEY(group_id) REFERENCES location_groups (id),
    CONSTRAINT fk_group_stock_sku_products FOREIGN KEY(sku) REFERENCES products (sku)
);

CREATE TABLE location_group_members (
    group_id TEXT NOT NULL,
    location_id TEXT NOT NULL,
    CONSTRAINT pk_location_group_members PRIMARY KEY (group_id, location_id),
    CONSTRAINT fk_location_group_members_group_id_location_groups FOREIGN KEY(group_id) REFERENCES location_groups (id),
    CONSTRAINT fk_location_group_members_location_id_locations FOREIGN KEY(location_id) REFERENCES locations (id)
);

CREATE INDEX ix_location_group_members_location_id ON location_group_members (location_id);

CREATE TABLE stock (
    location_id TEXT NOT NULL,
    sku TEXT NOT NULL,
    on_hand INTEGER NOT NULL,
    reserved INTEGER DEFAULT '0' NOT NULL,
    safety INTEGER DEFAULT '0' NOT NULL,
    future INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_stock PRIMARY KEY (location_id, sku),
    CONSTRAINT ck_stock_not_negative CHECK (on_hand >= 0 AND reserved >= 0 AND safety >= 0 AND future >= 0),
    CONSTRAINT fk_stock_location_id_locations FOREIGN KEY(location_id) REFERENCES locations (id),
    CONSTRAINT fk_stock_sku_products FOREIGN KEY(sku) REFERENCES products (sku)
);

CREATE TABLE orders (
    id TEXT NOT NULL,
    channel_id TEXT NOT NULL,
    external_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    life_cycle TEXT DEFAULT 'managed' NOT NULL,
    person_id TEXT,
    policy JSONB NOT NULL,
    placed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    release TEXT NOT NULL,
    pin JSONB NOT NULL,
    seq BIGINT DEFAULT '0' NOT NULL,
    wanted TEXT[] NOT NULL,
    next_due_at TIMESTAMP WITH TIME ZONE,
    closed_at TIMESTAMP WITH TIME ZONE,
    routing_attempts INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_orders PRIMARY KEY (id),
    CONSTRAINT fk_orders_channel_id_channels FOREIGN KEY(channel_id) REFERENCES channels (id)
);

CREATE INDEX ix_orders_due ON orders (next_due_at) WHERE closed_at IS NULL;

CREATE INDEX ix_orders_placed ON orders (placed_at, id);

CREATE UNIQUE INDEX uq_orders_external ON orders (channel_id, external_id);

CREATE TABLE prices (
    channel_id TEXT NOT NULL,
    sku TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL,
    CONSTRAINT pk_prices PRIMARY KEY (channel_id, sku, currency),
    CONSTRAINT fk_prices_channel_id_channels FOREIGN KEY(channel_id) REFERENCES channels (id),
    CONSTRAINT fk_prices_sku_products FOREIGN KEY(sku) REFERENCES products (sku)
);

CREATE TABLE change_orders (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    kind TEXT NOT NULL,
    request_id TEXT NOT NULL,
    before_fulfillment BOOLEAN NOT NULL,
    balances JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_change_orders PRIMARY KEY (id),
    CONSTRAINT fk_change_orders_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id),
    CONSTRAINT uq_change_orders_request_id UNIQUE (request_id)
);

CREATE INDEX ix_change_orders_order_id ON change_orders (order_id);

CREATE TABLE delivery_groups (
    order_id TEXT NOT NULL,
    id TEXT NOT NULL,
    country TEXT NOT NULL,
    latitude FLOAT,
    longitude FLOAT,
    method TEXT DEFAULT 'standard' NOT NULL,
    CONSTRAINT pk_delivery_groups PRIMARY KEY (order_id, id),
    CONSTRAINT fk_delivery_groups_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id)
);

CREATE TABLE flow_instances (
    order_id TEXT NOT NULL,
    instance TEXT NOT NULL,
    flow TEXT NOT NULL,
    seq BIGINT NOT NULL,
    status TEXT NOT NULL,
    CONSTRAINT pk_flow_instances PRIMARY KEY (order_id, instance),
    CONSTRAINT fk_flow_instances_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id)
);

CREATE INDEX ix_flow_instances_open ON flow_instances (order_id, seq) WHERE status IN ('running', 'faulted');

CREATE TABLE fulfillment_orders (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    delivery_group_id TEXT NOT NULL,
    location_id TEXT NOT NULL,
    kind TEXT DEFAULT 'warehouse' NOT NULL,
    status TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_fulfillment_orders PRIMARY KEY (id),
    CONSTRAINT fk_fulfillment_orders_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id),
    CONSTRAINT fk_fulfillment_orders_location_id_locations FOREIGN KEY(location_id) REFERENCES locations (id)
);

CREATE INDEX ix_fulfillment_orders_location ON fulfillment_orders (location_id, status, id);

CREATE UNIQUE INDEX uq_fulfillment_orders_number ON fulfillment_orders (order_id, number);

CREATE TABLE money_entries (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    order_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    account TEXT NOT NULL,
    payment_id TEXT,
    document_id TEXT,
    amount BIGINT NOT NULL,
    CONSTRAINT pk_money_entries PRIMARY KEY (id),
    CONSTRAINT fk_money_entries_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id)
);

CREATE INDEX ix_money_entries_order ON money_entries (order_id);

CREATE TABLE payments (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    method TEXT NOT NULL,
    gateway TEXT NOT NULL,
    token TEXT,
    authorization_ref TEXT,
    amount BIGINT NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_payments PRIMARY KEY (id),
    CONSTRAINT fk_payments_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id)
);

CREATE INDEX ix_payments_order_id ON payments (order_id);

CREATE TABLE process_exceptions (
    id TEXT NOT NULL,
    order_id TEXT,
    number INTEGER NOT NULL,
    category TEXT NOT NULL,
    code TEXT NOT NULL,
    detail TEXT NOT NULL,
    severity TEXT NOT NULL,
    priority TEXT NOT NULL,
    status TEXT NOT NULL,
    attached_to TEXT,
    flow TEXT,
    instance TEXT,
    task TEXT,
    error JSONB,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_process_exceptions PRIMARY KEY (id),
    CONSTRAINT fk_process_exceptions_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id)
);

CREATE INDEX ix_process_exceptions_open ON process_exceptions (created_at, id) WHERE status IN ('new', 'triaged');

CREATE INDEX ix_process_exceptions_order_id ON process_exceptions (order_id);

CREATE TABLE reservations (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    order_id TEXT NOT NULL,
    line_id TEXT NOT NULL,
    sku TEXT NOT NULL,
    group_id TEXT NOT NULL,
    location_id TEXT,
    fulfillment_order_id TEXT,
    quantity INTEGER NOT NULL,
    status TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_reservations PRIMARY KEY (id),
    CONSTRAINT ck_reservations_positive CHECK (quantity > 0),
    CONSTRAINT fk_reservations_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id)
);

CREATE INDEX ix_reservations_active ON reservations (sku, location_id) WHERE status = 'active';

CREATE INDEX ix_reservations_order ON reservations (order_id);

CREATE TABLE routing_attempts (
    order_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    schedule INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    answer JSONB NOT NULL,
    stock JSONB NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_routing_attempts PRIMARY KEY (order_id, number),
    CONSTRAINT fk_routing_attempts_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id)
);

CREATE TABLE routing_schedules (
    order_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    scheduled_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_routing_schedules PRIMARY KEY (order_id, number),
    CONSTRAINT fk_routing_schedules_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id)
);

CREATE INDEX ix_routing_schedules_due ON routing_schedules (scheduled_at) WHERE status = 'scheduled';

CREATE TABLE unit_entries (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    order_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    line_id TEXT NOT NULL,
    state TEXT NOT NULL,
    place TEXT NOT NULL,
    fulfillment_order_id TEXT,
    quantity INTEGER NOT NULL,
    amount BIGINT NOT NULL,
    tax BIGINT NOT NULL,
    CONSTRAINT pk_unit_entries PRIMARY KEY (id),
    CONSTRAINT fk_unit_entries_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id)
);

CREATE INDEX ix_unit_entries_order ON unit_entries (order_id, line_id);

CREATE TABLE change_order_lines (
    change_order_id TEXT NOT NULL,
    line_id TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    amount BIGINT NOT NULL,
    tax BIGINT NOT NULL,
    reason TEXT NOT NULL,
    CONSTRAINT pk_change_order_lines PRIMARY KEY (change_order_id, line_id),
    CONSTRAINT fk_change_order_lines_change_order_id_change_orders FOREIGN KEY(change_order_id) REFERENCES change_orders (id)
);

CREATE TABLE credit_memos (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    change_order_id TEXT NOT NULL,
    amount BIGINT NOT NULL,
    tax BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_credit_memos PRIMARY KEY (id),
    CONSTRAINT fk_credit_memos_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id),
    CONSTRAINT uq_credit_memos_change_order_id UNIQUE (change_order_id),
    CONSTRAINT fk_credit_memos_change_order_id_change_orders FOREIGN KEY(change_order_id) REFERENCES change_orders (id)
);

CREATE INDEX ix_credit_memos_order_id ON credit_memos (order_id);

CREATE TABLE fulfillment_order_lines (
    fulfillment_order_id TEXT NOT NULL,
    line_id TEXT NOT NULL,
    original_quantity INTEGER NOT NULL,
    rejected_quantity INTEGER DEFAULT '0' NOT NULL,
    reject_reason TEXT,
    CONSTRAINT pk_fulfillment_order_lines PRIMARY KEY (fulfillment_order_id, line_id),
    CONSTRAINT fk_fulfillment_order_lines_fulfillment_order_id_fulfill_f0e1 FOREIGN KEY(fulfillment_order_id) REFERENCES fulfillment_orders (id)
);

CREATE TABLE invoices (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    fulfillment_order_id TEXT NOT NULL,
    amount BIGINT NOT NULL,
    tax BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_invoices PRIMARY KEY (id),
    CONSTRAINT fk_invoices_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id),
    CONSTRAINT uq_invoices_fulfillment_order_id UNIQUE (fulfillment_order_id),
    CONSTRAINT fk_invoices_fulfillment_order_id_fulfillment_orders FOREIGN KEY(fulfillment_order_id) REFERENCES fulfillment_orders (id)
);

CREATE INDEX ix_invoices_order_id ON invoices (order_id);

CREATE TABLE order_lines (
    order_id TEXT NOT NULL,
    id TEXT NOT NULL,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    sku TEXT,
    name TEXT DEFAULT '' NOT NULL,
    delivery_group_id TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    unit_price BIGINT NOT NULL,
    line_amount BIGINT NOT NULL,
    adjustment BIGINT NOT NULL,
    tax BIGINT NOT NULL,
    tax_category TEXT NOT NULL,
    tax_rate NUMERIC(9, 6),
    CONSTRAINT pk_order_lines PRIMARY KEY (order_id, id),
    CONSTRAINT fk_order_lines_order_id_delivery_group_id_delivery_groups FOREIGN KEY(order_id, delivery_group_id) REFERENCES delivery_groups (order_id, id),
    CONSTRAINT fk_order_lines_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id)
);

CREATE TABLE payment_intents (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    operation TEXT NOT NULL,
    amount BIGINT NOT NULL,
    document_id TEXT,
    action_key TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reference TEXT,
    capture_ref TEXT,
    code TEXT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    settled_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_payment_intents PRIMARY KEY (id),
    CONSTRAINT fk_payment_intents_order_id_orders FOREIGN KEY(order_id) REFERENCES orders (id),
    CONSTRAINT fk_payment_intents_payment_id_payments FOREIGN KEY(payment_id) REFERENCES payments (id)
);

CREATE INDEX ix_payment_intents_open ON payment_intents (created_at) WHERE outcome IN ('requested', 'unknown');

CREATE INDEX ix_payment_intents_order_id ON payment_intents (order_id);

CREATE UNIQUE INDEX uq_payment_intents_document ON payment_intents (document_id, payment_id, operation, capture_ref, action_key) NULLS NOT DISTINCT;

CREATE TABLE recipients (
    order_id TEXT NOT NULL,
    delivery_group_id TEXT NOT NULL,
    person_id TEXT NOT NULL,
    service BYTEA NOT NULL,
    statutory BYTEA NOT NULL,
    CONSTRAINT pk_recipients PRIMARY KEY (order_id, delivery_group_id),
    CONSTRAINT fk_recipients_order_id_delivery_group_id_delivery_groups FOREIGN KEY(order_id, delivery_group_id) REFERENCES delivery_groups (order_id, id),
    CONSTRAINT fk_recipients_person_id_persons FOREIGN KEY(person_id) REFERENCES persons (id)
);

CREATE INDEX ix_recipients_person_id ON recipients (person_id);

CREATE TABLE credit_memo_lines (
    credit_memo_id TEXT NOT NULL,
    line_id TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    amount BIGINT NOT NULL,
    tax BIGINT NOT NULL,
    CONSTRAINT pk_credit_memo_lines PRIMARY KEY (credit_memo_id, line_id),
    CONSTRAINT fk_credit_memo_lines_credit_memo_id_credit_memos FOREIGN KEY(credit_memo_id) REFERENCES credit_memos (id)
);

CREATE TABLE invoice_lines (
    invoice_id TEXT NOT NULL,
    line_id TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    amount BIGINT NOT NULL,
    tax BIGINT NOT NULL,
    CONSTRAINT pk_invoice_lines PRIMARY KEY (invoice_id, line_id),
    CONSTRAINT fk_invoice_lines_invoice_id_invoices FOREIGN KEY(invoice_id) REFERENCES invoices (id)
);

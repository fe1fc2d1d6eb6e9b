import express, { type Router } from 'express';
import helmet from 'helmet';
import { serveFiles, setup } from 'swagger-ui-express';

/**
 * Swagger UI from the installed package: nothing is fetched from elsewhere, so it works offline, and the policy
 * holds it to this server. Express handlers for the path it is mounted at.
 */
export function swaggerUi(): Router {
  const options = {
    customSiteTitle: 'SIP registrar: admin API',
    swaggerOptions: {
      url: '../openapi.json',
      persistAuthorization: true,
      tryItOutEnabled: true,
      deepLinking: true,
      displayRequestDuration: true,
    },
  };
  const router = express.Router();
  router.use(
    helmet({
      xFrameOptions: { action: 'deny' },
      strictTransportSecurity: false,
      contentSecurityPolicy: {
        useDefaults: false,
        directives: {
          defaultSrc: ["'none'"],
          scriptSrc: ["'self'"],
          // The page carries its own styles, in a style element and in attributes.
          styleSrc: ["'self'", "'unsafe-inline'"],
          imgSrc: ["'self'", 'data:'],
          fontSrc: ["'self'", 'data:'],
          // Also keeps ?url= from loading another API's description into a page that holds a key.
          connectSrc: ["'self'"],
          formAction: ["'none'"],
          baseUri: ["'none'"],
          frameAncestors: ["'none'"],
        },
      },
    }),
  );
  // Its links are relative to the directory.
  router.get('/', (request, response, next) => {
    if (request.originalUrl.split('?')[0]?.endsWith('/') === true) next();
    else response.redirect(308, `${request.baseUrl}/`);
  });
  router.use(serveFiles(undefined, options));
  router.get('/', setup(undefined, options));
  return router;
}
